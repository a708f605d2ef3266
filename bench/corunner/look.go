// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"time"

	"github.com/vlibos/vlibos/bench"
)

const (
	// Settle is how long a mode runs before it is measured. A throttle continues at
	// the level that it had when its mode was last measured, and needs some periods
	// to be in force again. The kernel's cap has a period of this length.
	Settle = 100 * time.Millisecond
	// Window is how long a block is measured.
	Window = 400 * time.Millisecond
)

// Rules by which a block does not count. Each is an event of the machine, and none
// depends on what was measured.
const (
	// Stolen says that a hypervisor took more than mostStolen of a CPU's time.
	Stolen = "stolen"
	// Late says that a CPU woke more than mostLate after its timer.
	Late = "late"
	// Dropped says that the machine kept the throttle from deciding.
	Dropped = "dropped"
)

// mostStolen is in parts of a CPU's time. A block of 400 ms has 40 of the kernel's
// ticks, of which none may be stolen.
const mostStolen = 0.02

// Look begins the measured part of a block. The result ends it, and returns the
// block's work and whether it counts.
func (h *Machine) Look() (end func() bench.Block) {
	type reading struct{ stolen, all, late uint64 }
	read := func() (all []reading) {
		for _, l := range h.late {
			stolen, ticks := bench.Stolen(l.cpu)
			all = append(all, reading{stolen, ticks, count(l.memory).Load()})
		}
		return all
	}
	before, work, begin := read(), h.job.work(), time.Now()
	return func() (b bench.Block) {
		b.Work = float64(h.job.work()-work) / time.Since(begin).Seconds()
		for i, now := range read() {
			was := before[i]
			switch {
			case float64(now.stolen-was.stolen) > mostStolen*float64(now.all-was.all):
				b.Discarded = Stolen
			case now.late > was.late:
				b.Discarded = Late
			}
		}
		if h.loop != nil && h.loop.Status().Dropped > 0 {
			b.Discarded = Dropped
		}
		return b
	}
}
