// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/throttle"
)

// status is an api.Throttle as the loop has it.
type status struct {
	api.Throttle
	hopeless bool // the source's health opens all CPUs
}

// Status may be asked for at any time.
func (l *Loop) Status() api.Throttle {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.status.Throttle
	s.CPUs = append([]api.ThrottleCPU{}, s.CPUs...)
	s.State = l.status.state(!l.round.IsZero() && time.Since(l.round) >= l.patience())
	return s
}

func (s *status) state(late bool) api.ThrottleState {
	for _, c := range s.CPUs {
		if c.Idle > 0 {
			return api.ThrottleClosed
		}
	}
	switch {
	case late:
		return api.ThrottleLate
	case s.hopeless:
		return api.ThrottleBlind
	case s.Decisions == 0 || s.Health == throttle.Warming.String():
		return api.ThrottleWarming
	}
	return api.ThrottleEnough
}
