// SPDX-License-Identifier: Apache-2.0

package native

import (
	"time"

	"github.com/vlibos/vlibos/rtsched"
)

// joint is one account for what threads use themselves and what callees use for
// them. Times are since any fixed moment. It touches no system.
type joint struct {
	server *rtsched.Server
	// It has budget, as was found at the last look: what is used until the
	// next is charged, or is background.
	foreground bool
	idle       bool // nobody used anything when it was last looked at

	seen        time.Duration // when that was
	front, back time.Duration // used on the budget, what was too much included; and without
}

func newJoint(t rtsched.Task, now time.Duration) joint {
	return joint{server: rtsched.NewServer(t.Budget, t.Period, now), foreground: true, idle: true, seen: now}
}

// look charges what was used since the last look. Others is what others used,
// for whom it may have waited: that is not taken for sleep.
func (j *joint) look(now, used, others time.Duration) {
	elapsed := now - j.seen
	switch {
	case !j.foreground:
		j.back += used
	case used == 0:
		j.idle = j.idle || others < elapsed
	default:
		if j.idle || used+others < elapsed {
			// The latest moment at which it can have begun gives
			// it nothing to which it has no claim. Who ran all the
			// time, but for the looks, loses nothing by it: each part
			// is back when the one before is used.
			j.server.Wake(max(j.seen, now-used))
		}
		j.idle = false
		j.server.Charge(used)
		j.front += used
	}
	j.seen = now
	had := j.foreground
	j.foreground = j.server.Left(now) > 0
	// Who has just got budget begins to use it now, not when it was due.
	j.idle = j.idle || j.foreground && !had
}
