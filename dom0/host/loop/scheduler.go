// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Priority of a thread that keeps budgets, among real-time ones.
const Priority = 50

// Levels are the priorities of those that have a budget, from 1: all are below
// the keeper's.
const Levels = Priority - 1

// A thread with a deadline has so much of a CPU in every period: the kernel admits
// two of them where there is one CPU.
const (
	runtimeOf = 900 * time.Microsecond
	periodOf  = 2 * time.Millisecond
)

// SetScheduler is sched_setscheduler(2) for one thread, 0 being the calling one:
// unlike sched_setattr it leaves the nice value alone.
func SetScheduler(tid, policy, priority int) error {
	param := [1]int32{int32(priority)}
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(tid), uintptr(policy), uintptr(unsafe.Pointer(&param)))
	if errno != 0 {
		return errno
	}
	return nil
}

// Realtime makes the calling thread real-time, so that others do not keep it
// from looking at them; else as nice as it may be, and the error says why.
func Realtime() error {
	err := SetScheduler(0, unix.SCHED_FIFO|unix.SCHED_RESET_ON_FORK, Priority)
	if err != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) // without it, it is late more often
		return os.NewSyscallError("sched_setscheduler", err)
	}
	return nil
}

// Note says, for people, what follows if the keeper's thread is refused real-time
// priority.
func Note(err error) string {
	return fmt.Sprintf("the keeper of budgets is refused real-time priority, so that budgets end late: %v: %s", err, Remedy)
}

// Remedy is how a process gets real-time priority.
const Remedy = "run it as root or with CAP_SYS_NICE, in a cgroup whose cpu.rt_runtime_us is not 0"

// Deadline makes the calling thread one that goes before all others and yet gives
// way (SCHED_DEADLINE), on whichever CPU: it may not be bound to some. Where there
// is none such it is Realtime, or the error says why it is neither.
//
// The Go runtime holds a goroutine that wakes from a system call for the moment
// in which its collector reads the stack, or its monitor takes the goroutine's
// place. The thread then spins and yields until that is over. A real-time one
// yields to nobody; on the CPU where the runtime's other thread was, it spins
// for as long as the kernel lets it, which is 0.95 s. One with a deadline has
// given up what is left of its period.
func Deadline() error {
	attr := unix.SchedAttr{
		Policy: unix.SCHED_DEADLINE, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
		Runtime: uint64(runtimeOf), Deadline: uint64(periodOf), Period: uint64(periodOf),
	}
	if unix.SchedSetAttr(0, &attr, 0) == nil {
		return nil
	}
	return Realtime()
}
