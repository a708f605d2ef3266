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

	"github.com/vlibos/vlibos/internal/clock"
)

const (
	// maxVisits is the largest number of CPUs whose counters are updated. On
	// further CPUs the counters are as of the last tick.
	maxVisits = 8
	// visitPatience bounds a visit: the kernel may keep all real-time threads
	// from running for a while (sched_rt_runtime_us).
	visitPatience = time.Millisecond
	// tooLate is by how much the keeper may be late before its assistant acts.
	tooLate = 5 * time.Millisecond
	// maxThreads is the largest number of threads that the assistant knows.
	// Others stay in foreground for as long as the keeper is late.
	maxThreads = 4096
	// noDeadline is a time that never comes and that the kernel accepts.
	noDeadline = 1 << 62
)

// assistant is a SCHED_FIFO thread that runs no Go code, so that there is no
// moment at which the Go runtime could hold it. It does two things for the keeper.
//
// It visits CPUs, where the running thread is preempted and thereby accounted
// for. The keeper cannot: a thread with a deadline may not be bound to a CPU,
// and one that changes between both policies is lost: the kernel never runs a
// thread again that was throttled and whose deadline's timer went off while it
// was SCHED_FIFO (dl_task_timer in kernel/sched/deadline.c).
//
// It ends all foreground that could keep the keeper from being back when that is
// too late: the keeper may have to wait for the Go runtime's collector, and that
// for a CPU on which a thread with budget goes before it.
type assistant struct {
	mem  []byte
	page *page
	tid  int
	at   map[int]int // index of a thread in the page
	acts uint32      // how often it has acted, as far as the keeper knows
}

// page is shared by both threads.
type page struct {
	_        structs.HostLayout
	changes  atomic.Uint32 // incremented when the page has changed
	request  atomic.Uint32 // the number of the visit that is asked for
	done     atomic.Uint32 // the number of the last visit that has ended
	count    uint32        // of CPUs; 0: the assistant ends
	tid      atomic.Uint32 // 0 when it has ended, by the kernel
	acting   atomic.Uint32 // 1 while it may act
	acts     atomic.Uint32
	param    [1]int32 // a struct sched_param of 0
	length   uint32   // of text; 0: there is no file
	file     int32    // where it writes text
	text     [8]byte
	deadline atomic.Int64  // by CLOCK_MONOTONIC, in ns: it acts then
	until    [2]int64      // the assistant's struct timespec
	threads  atomic.Uint32 // how many there are
	_        uint32
	sets     [maxVisits]cpuSet
	thread   [maxThreads]watched
}

// watched is a thread, and the policy that it gets when the keeper is too late.
type watched struct{ tid, policy int32 }

// cpuSet has a size that the assembly knows.
type cpuSet struct{ unix.CPUSet }

// startAssistant makes the thread, and returns its number or an errno below 0.
// The caller has blocked all signals.
//
//go:noescape
func startAssistant(p *page) int

func newAssistant() (*assistant, error) {
	mem, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(page{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	a := &assistant{mem: mem, page: (*page)(unsafe.Pointer(&mem[0])), at: make(map[int]int)}
	a.page.tid.Store(1) // until the thread has ended
	a.page.deadline.Store(noDeadline)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, was unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &was); err != nil {
		return nil, errors.Join(os.NewSyscallError("rt_sigprocmask", err), unix.Munmap(mem))
	}
	a.tid = startAssistant(a.page)
	err = unix.PthreadSigmask(unix.SIG_SETMASK, &was, nil)
	if a.tid < 0 {
		return nil, errors.Join(os.NewSyscallError("clone", unix.Errno(-a.tid)), err, unix.Munmap(mem))
	}
	if err := SetScheduler(a.tid, unix.SCHED_FIFO|unix.SCHED_RESET_ON_FORK, priority); err != nil {
		return nil, errors.Join(os.NewSyscallError("sched_setscheduler", err), a.close())
	}
	return a, nil
}

// visit returns when the assistant has run on these CPUs. A CPU that is offline
// or not allowed has nothing to be accounted for, or is read as of the last
// tick.
func (a *assistant) visit(cpus []int) {
	if len(cpus) == 0 || len(cpus) > maxVisits || a.page.done.Load() != a.page.request.Load() {
		return
	}
	var here uint32
	unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&here)), 0, 0)
	if len(cpus) == 1 && cpus[0] == int(here) {
		return // the keeper has preempted it
	}
	for i, c := range cpus {
		a.page.sets[i].Zero()
		a.page.sets[i].Set(c)
	}
	a.page.count = uint32(len(cpus))
	before := a.page.done.Load()
	a.page.request.Store(before + 1)
	a.wake()
	futex(&a.page.done, futexWait, before, visitPatience)
}

func (a *assistant) wake() {
	a.page.changes.Add(1)
	futex(&a.page.changes, futexWake, 1, 0)
}

// watch says which policy a thread is to have if the keeper is too late. That
// counts from now on: it is called before the thread is raised.
func (a *assistant) watch(tid, policy int) {
	i, ok := a.at[tid]
	if !ok {
		if i = int(a.page.threads.Load()); i == maxThreads {
			return
		}
	}
	a.at[tid] = i
	a.page.thread[i] = watched{int32(tid), int32(policy)}
	if !ok {
		a.page.threads.Add(1)
	}
	a.arm()
}

// arm makes the assistant act if the keeper is not back in time from what it does
// now.
func (a *assistant) arm() {
	if soon, before := int64(clock.Monotonic()+tooLate), a.page.deadline.Load(); before > soon {
		a.page.deadline.CompareAndSwap(before, soon)
		a.wake()
	}
}

// unwatch ends watch.
func (a *assistant) unwatch(tid int) {
	i, ok := a.at[tid]
	if !ok {
		return
	}
	last := a.page.thread[len(a.at)-1]
	a.page.thread[i], a.at[int(last.tid)] = last, i
	delete(a.at, tid)
	a.page.threads.Store(uint32(len(a.at)))
	a.settle()
}

// settle waits until the assistant does not act: it may still have what was changed.
func (a *assistant) settle() {
	for a.page.acting.Load() != 0 {
		unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

// write names the text that is to be written to a file if the keeper is too
// late; "" cancels it.
func (a *assistant) write(file int, text string) {
	a.page.length = 0
	a.page.file = int32(file)
	a.page.length = uint32(copy(a.page.text[:], text))
	if text != "" {
		a.arm()
	}
}

// expect sets the time when the keeper is to be back.
func (a *assistant) expect(due time.Duration) {
	deadline := int64(noDeadline)
	if due < noDeadline-tooLate && (len(a.at) > 0 || a.page.length > 0) {
		deadline = int64(due + tooLate)
	}
	if before := a.page.deadline.Swap(deadline); deadline < before {
		a.wake()
	}
}

// acted reports whether the keeper was too late since the last time.
func (a *assistant) acted() bool {
	a.settle()
	acts := a.page.acts.Load()
	late := acts != a.acts
	a.acts = acts
	return late
}

// busy says that the keeper is at work from now on.
func (a *assistant) busy() {
	if soon, before := int64(clock.Monotonic()+tooLate), a.page.deadline.Load(); before < soon {
		a.page.deadline.CompareAndSwap(before, soon)
	}
}

// close ends the thread.
func (a *assistant) close() error {
	for done := a.page.done.Load(); done != a.page.request.Load(); done = a.page.done.Load() {
		futex(&a.page.done, futexWait, done, visitPatience)
	}
	a.page.count = 0
	a.page.request.Add(1)
	a.wake()
	for a.page.tid.Load() != 0 {
		futex(&a.page.tid, futexWaitShared, 1, visitPatience)
	}
	return unix.Munmap(a.mem)
}

const (
	futexWaitShared = 0   // FUTEX_WAIT, FUTEX_WAIT_PRIVATE and FUTEX_WAKE_PRIVATE
	futexWait       = 128 // of <linux/futex.h>
	futexWake       = 129
)

// futex is futex(2) without the runtime's knowledge: no wait is longer than
// visitPatience.
func futex(word *atomic.Uint32, op int, value uint32, patience time.Duration) {
	ts := unix.NsecToTimespec(int64(patience))
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(op), uintptr(value), uintptr(unsafe.Pointer(&ts)), 0, 0)
}
