// SPDX-License-Identifier: Apache-2.0

package xen

// tsc reads the time-stamp counter. Counted mode needs no fence: TCG executes in
// order.
func tsc() uint64

// pause executes PAUSE, for loops that wait for another CPU. In counted mode the
// other CPU then runs at once; without it, at the next timer.
func pause()

// The phases of a profile, as the plugin in lab/membus/plugin/profile.c counts
// them. Phase 0 is not counted; phaseLast makes the plugin write its counts.
const (
	phaseVchan  = 1
	phaseBlock  = 2
	phaseGated  = 3
	phaseOpen   = 4
	phaseCall   = 5
	phaseListen = 6
	phaseLast   = 255
)

// mark begins a phase.
func mark(phase uint8)
