// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"time"
)

// WaitPolicy is how a client waits for its answer.
type WaitPolicy uint8

const (
	// SpinThenBlock spins for as long as that has lately been worth it,
	// then sleeps. The default.
	SpinThenBlock WaitPolicy = iota
	// Block sleeps at once: least CPU, one wake-up a call.
	Block
	// Spin never sleeps: least latency, a whole CPU. It is for a server
	// that polls too; see Server.Linger and Channel.Session.
	Spin
)

func (p WaitPolicy) String() string {
	switch p {
	case SpinThenBlock:
		return "spin-then-block"
	case Block:
		return "block"
	case Spin:
		return "spin"
	}
	return "unknown"
}

const (
	// checkEvery polls the spinner looks at the clock, the context and the
	// peer's pulse.
	checkEvery = 32
	// forever is the window of a spinner that never sleeps.
	forever time.Duration = 1<<63 - 1
	// minSpin is where an adaptive spin starts to grow.
	minSpin = 2 * time.Microsecond
)

// adaptiveSpin decides how long to spin before sleeping, as Linux's
// halt-polling does for an idle vCPU: a sleep that ended sooner than limit
// would have been better spun through, so the next spin is longer; a longer
// one means that spinning was wasted, so the next call does not spin.
type adaptiveSpin struct {
	limit, window time.Duration
}

func (a *adaptiveSpin) slept(d time.Duration) {
	switch {
	case d > a.limit:
		a.window = 0
	case a.window == 0:
		a.window = min(minSpin, a.limit)
	default:
		a.window = min(2*a.window, a.limit)
	}
}
