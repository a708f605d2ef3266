// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// priority of a thread that keeps budgets, among real-time ones.
const priority = 50

// Levels are the priorities of threads that have a budget, from 1: all are below
// the keeper's.
const Levels = priority - 1

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

// Realtime makes the calling thread real-time, so that others do not delay its
// looks at them; else it sets the lowest nice value, and the error says why.
func Realtime() error {
	err := SetScheduler(0, unix.SCHED_FIFO|unix.SCHED_RESET_ON_FORK, priority)
	if err != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) // without real-time it is late more often
		return os.NewSyscallError("sched_setscheduler", err)
	}
	return nil
}

// Remedy is how a process gets real-time priority.
const Remedy = "run it as root or with CAP_SYS_NICE, in a cgroup whose cpu.rt_runtime_us is not 0"

// note says, for people, what follows if the kernel refuses real-time priority
// to the keeper's thread.
func note(err error) string {
	return fmt.Sprintf("the keeper of budgets is refused real-time priority, so that budgets end late: %v: %s", err, Remedy)
}

// hurry makes all of this process real-time, and the processes it starts:
// domains in foreground, which their keeper left so when it died, must not
// delay a guard.
func hurry() {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return // it may be late then
	}
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			_ = SetScheduler(tid, unix.SCHED_FIFO, priority)
		}
	}
}
