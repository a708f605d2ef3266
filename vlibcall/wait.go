// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"sync"
	"time"
)

// WaitPolicy is the way in which a client waits for its answer.
type WaitPolicy uint8

const (
	// SpinThenBlock spins as long as that was worth it lately, then sleeps. The
	// default.
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
	// checkEvery is the number of polls after which a spinning client checks
	// the clock, the context and the peer.
	checkEvery = 32
	// forever is the window of a client that never sleeps.
	forever time.Duration = 1<<63 - 1
	// minSpin is the first length of an adaptive spin.
	minSpin = 2 * time.Microsecond
)

// adaptiveSpin decides how long to spin before sleeping, as Linux's
// halt-polling does for an idle vCPU. After a sleep shorter than limit,
// spinning would have been better, so the next spin is longer. After a longer
// one the spinning was wasted, so the next call does not spin.
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

// patience is how long a side that spins waits before it first looks for what the
// other side writes. A look too early takes the line away from the writer, which then
// waits for it twice. It is about what the shortest call takes there.
const patience = 50 * time.Nanosecond

// pauses is the number of pauses in that time. A pause takes 10 to 60 ns, depending on
// the processor; in an emulator, which runs another CPU meanwhile, far longer.
var pauses = sync.OnceValue(func() int {
	const sample = 64
	begin := time.Now()
	for range sample {
		pause()
	}
	return int(sample * patience / max(time.Since(begin), 1))
})
