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
	// BlockCPU blocks the caller's vCPU, where a reservation pays and the module's host can.
	// The hypervisor takes the vCPU off its CPU until the answer or the next interrupt, at
	// most for a tick of Linux; then the call blocks. That spares Linux' own sleep and
	// wake-up. Other threads of the vCPU wait meanwhile, and Linux counts the wait as CPU
	// time of the caller. Elsewhere it is Block.
	BlockCPU
)

func (p WaitPolicy) String() string {
	switch p {
	case SpinThenBlock:
		return "spin-then-block"
	case Block:
		return "block"
	case Spin:
		return "spin"
	case BlockCPU:
		return "block-cpu"
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

// patience is how long a side that spins waits before its first look for what the other
// side writes. A look too early takes the line away from the writer, which then waits
// for it twice; one too late is late. So it is learnt: it grows by what two pauses take
// when the first look was too early, and shrinks by a 32nd of that when it was not.
type patience struct {
	steps int // stepsPerPause of them are one pause
	most  int // of pauses
}

const (
	stepsPerPause = 16
	// mostPatience is enough for the shortest calls. Longer ones take no harm from looks.
	mostPatience = 400 * time.Nanosecond
)

func newPatience() patience { return patience{most: pauses()} }

// wait pauses at least once.
func (p *patience) wait() {
	for range p.steps/stepsPerPause + 1 {
		pause()
	}
}

// looked notes after how many looks the other side's word was there.
func (p *patience) looked(looks int) {
	if looks > 1 {
		p.steps = min(p.steps+2*stepsPerPause, p.most*stepsPerPause)
	} else if p.steps > 0 {
		p.steps--
	}
}

// pauses is the number of pauses in mostPatience. A pause takes 10 to 60 ns, depending on
// the processor; in an emulator, which runs another CPU meanwhile, far longer.
var pauses = sync.OnceValue(func() int {
	const sample = 64
	begin := time.Now()
	for range sample {
		pause()
	}
	return int(sample * mostPatience / max(time.Since(begin), 1))
})
