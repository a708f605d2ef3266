// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"errors"
	"os"
	"runtime"
	"structs"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxVisits is on how many CPUs at most counters are brought up to date. On
// more, they are as of the last tick.
const maxVisits = 8

// visitPatience bounds a visit: the kernel may keep all real-time threads from
// running for a while (sched_rt_runtime_us).
const visitPatience = time.Millisecond

// visitor is a SCHED_FIFO thread that goes to CPUs, where whatever runs is
// preempted and thereby accounted for. The Go runtime does not know it: it runs
// no Go code, so there is no moment at which the runtime could hold it, and it
// would spin (see [rank.raise]). A thread with a deadline may not be bound to a
// CPU; and one that changes between both policies is lost: the kernel leaves a
// thread throttled for good whose deadline's timer went off while it was
// SCHED_FIFO (dl_task_timer in kernel/sched/deadline.c).
type visitor struct {
	mem  []byte
	page *page
	tid  int
}

// page is what both threads share.
type page struct {
	_       structs.HostLayout
	request atomic.Uint32 // the number of the visit that is asked for
	done    atomic.Uint32 // of the last that has ended
	count   uint32        // of CPUs; 0: the visitor ends
	tid     atomic.Uint32 // 0 when it has ended, by the kernel
	sets    [maxVisits]unix.CPUSet
}

const setSize = int(unsafe.Sizeof(unix.CPUSet{}))

// startVisitor makes the thread, and returns its number or an errno below 0. The
// caller has blocked all signals.
//
//go:noescape
func startVisitor(p *page) int

func newVisitor() (*visitor, error) {
	mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	v := &visitor{mem: mem, page: (*page)(unsafe.Pointer(&mem[0]))}
	v.page.tid.Store(1) // until it has ended
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, was unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &was); err != nil {
		return nil, errors.Join(os.NewSyscallError("rt_sigprocmask", err), unix.Munmap(mem))
	}
	v.tid = startVisitor(v.page)
	err = unix.PthreadSigmask(unix.SIG_SETMASK, &was, nil)
	if v.tid < 0 {
		return nil, errors.Join(os.NewSyscallError("clone", unix.Errno(-v.tid)), err, unix.Munmap(mem))
	}
	if err := SetScheduler(v.tid, unix.SCHED_FIFO|unix.SCHED_RESET_ON_FORK, priority); err != nil {
		return nil, errors.Join(os.NewSyscallError("sched_setscheduler", err), v.close())
	}
	return v, nil
}

// visit returns when the thread was on these CPUs. A CPU that is offline or not
// allowed has nothing to be accounted for, or is read as of the last tick.
func (v *visitor) visit(cpus []int) {
	if len(cpus) == 0 || len(cpus) > maxVisits || v.page.done.Load() != v.page.request.Load() {
		return
	}
	var here uint32
	unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&here)), 0, 0)
	if len(cpus) == 1 && cpus[0] == int(here) {
		return // the keeper has preempted it
	}
	for i, c := range cpus {
		v.page.sets[i].Zero()
		v.page.sets[i].Set(c)
	}
	v.page.count = uint32(len(cpus))
	before := v.page.done.Load()
	v.page.request.Store(before + 1)
	futex(&v.page.request, futexWake, 1, 0)
	futex(&v.page.done, futexWait, before, visitPatience)
}

// close ends the thread.
func (v *visitor) close() error {
	for v.page.done.Load() != v.page.request.Load() {
		futex(&v.page.done, futexWait, v.page.done.Load(), visitPatience)
	}
	v.page.count = 0
	v.page.request.Add(1)
	futex(&v.page.request, futexWake, 1, 0)
	for v.page.tid.Load() != 0 {
		futex(&v.page.tid, futexWaitShared, 1, visitPatience)
	}
	return unix.Munmap(v.mem)
}

const (
	futexWaitShared = 0   // FUTEX_WAIT, FUTEX_WAIT_PRIVATE and FUTEX_WAKE_PRIVATE
	futexWait       = 128 // of <linux/futex.h>
	futexWake       = 129
)

// futex is futex(2), of which the runtime is not told: no wait is longer than
// visitPatience.
func futex(word *atomic.Uint32, op int, value uint32, patience time.Duration) {
	ts := unix.NsecToTimespec(int64(patience))
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op), uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, 0)
}
