// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/cpulist"
)

// alarmAfter is how much CPU time, on one CPU, sets off an alarm.
const alarmAfter = 500 * time.Microsecond

// alarm reports that a cgroup of version 2, or one below it, has run for a
// while: a keeper that waits for it need not look. There is an event on each
// CPU that counts the cgroup's time there (perf_event_open(2)).
type alarm struct {
	epoll  int
	events map[int]event // by CPU
}

// event is a file and the ring that it writes to. The ring is not read, but the
// file cannot be waited for without it.
type event struct {
	fd   int
	ring []byte
}

// openAlarm opens an alarm that is off. The kernel may not have such events, or
// may have them with cgroups of version 1.
func openAlarm(dir string) (_ *alarm, err error) {
	cpus, err := cpulist.Read("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	group, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer group.Close()
	a := &alarm{events: make(map[int]event)}
	if a.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	for _, cpu := range cpus {
		if err := a.add(int(group.Fd()), cpu); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *alarm) add(group, cpu int) error {
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Sample: uint64(alarmAfter), Wakeup: 1, Bits: unix.PerfBitDisabled,
	}
	fd, err := unix.PerfEventOpen(&attr, group, cpu, -1, unix.PERF_FLAG_PID_CGROUP|unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("perf_event_open", err)
	}
	// Mapped for reading alone: the kernel then overwrites a full ring.
	ring, err := unix.Mmap(fd, 0, 2*os.Getpagesize(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return errors.Join(os.NewSyscallError("mmap", err), unix.Close(fd))
	}
	a.events[cpu] = event{fd, ring}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(a.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN}))
}

// covers reports whether the alarm notices threads that run on these CPUs.
func (a *alarm) covers(cpus []int) bool {
	for _, cpu := range cpus {
		if _, ok := a.events[cpu]; !ok {
			return false
		}
	}
	return true
}

// set switches the alarm on or off.
func (a *alarm) set(on bool) error {
	request := uint(unix.PERF_EVENT_IOC_DISABLE)
	if on {
		request = unix.PERF_EVENT_IOC_ENABLE
	}
	var errs []error
	for _, e := range a.events {
		errs = append(errs, os.NewSyscallError("perf_event ioctl", unix.IoctlSetInt(e.fd, request, 0)))
	}
	return errors.Join(errs...)
}

func (a *alarm) close() error {
	errs := []error{unix.Close(a.epoll)}
	for _, e := range a.events {
		errs = append(errs, unix.Munmap(e.ring), unix.Close(e.fd))
	}
	return errors.Join(errs...)
}
