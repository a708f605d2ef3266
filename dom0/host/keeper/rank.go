// SPDX-License-Identifier: Apache-2.0

package keeper

import "golang.org/x/sys/unix"

// A thread with a deadline has so much of a CPU in every period, in nanoseconds:
// the kernel admits two of them where there is one CPU.
const (
	runtimeOf = 900_000
	periodOf  = 2_000_000
)

// rank is how the keeper's thread is scheduled.
type rank struct {
	realtime  bool       // before all others
	fifo      bool       // by SCHED_FIFO, else by SCHED_DEADLINE
	refused   error      // why it is not, though it was to be
	assistant *assistant // nil: it may not have one
}

// raise makes the calling thread run before all others and yet give way
// (SCHED_DEADLINE). Where that is refused the thread is SCHED_FIFO, or else has
// the lowest nice value, and refused says why.
//
// The Go runtime holds a goroutine that wakes from a system call while its
// collector reads the stack, or its monitor takes the goroutine's place. The
// thread then spins and yields until that is over. A SCHED_FIFO thread yields
// to no other; on the CPU where the runtime's other thread was, it spins for as
// long as the kernel lets it, which is 0.95 s. A thread with a deadline gives
// up the rest of its period; the assistant makes a SCHED_FIFO thread an
// ordinary one, until it is back.
func (r *rank) raise() {
	// The kernel takes the bits of the existing CPUs, and refuses a deadline to
	// a thread that is bound to some of them.
	var all unix.CPUSet
	all.Fill()
	_ = unix.SchedSetaffinity(0, &all)
	attr := unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_DEADLINE, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
		Runtime: runtimeOf, Deadline: periodOf, Period: periodOf,
	}
	r.refused = nil
	fifo := unix.SchedSetAttr(0, &attr, 0) != nil
	if fifo {
		r.refused = Realtime()
	}
	if r.realtime = r.refused == nil; r.realtime && r.assistant == nil {
		r.assistant, _ = newAssistant() // without the assistant, counters are as of the last tick
	}
	if fifo && r.assistant != nil {
		r.assistant.watch(unix.Gettid(), unix.SCHED_NORMAL)
	}
	r.fifo = fifo
}
