// SPDX-License-Identifier: Apache-2.0

package evtchn

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const devicePath = "/dev/xen/evtchn"

func openDevice() (int, error) {
	fd, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return -1, fmt.Errorf("%s: %w (not a Xen domain, or the module xen-evtchn is not loaded)", devicePath, err)
	}
	if err != nil {
		return -1, fmt.Errorf("%s: %w", devicePath, err)
	}
	return fd, nil
}

func closeDevice(fd int) error { return unix.Close(fd) }

func ioctlInterdomain(fd int, domid uint16, remote Port) (Port, error) {
	arg := bindInterdomain{remoteDomain: uint32(domid), remotePort: uint32(remote)}
	return bindResult(unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlBindInterdomain, uintptr(unsafe.Pointer(&arg))))
}

func ioctlUnbound(fd int, domid uint16) (Port, error) {
	arg := bindUnboundPort{remoteDomain: uint32(domid)}
	return bindResult(unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlBindUnboundPort, uintptr(unsafe.Pointer(&arg))))
}

func ioctlVIRQ(fd int, virq VIRQ) (Port, error) {
	arg := bindVIRQ{virq: uint32(virq)}
	return bindResult(unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlBindVIRQ, uintptr(unsafe.Pointer(&arg))))
}

// bindResult returns the port: the bind requests return it as the ioctl's
// value.
func bindResult(r, _ uintptr, errno unix.Errno) (Port, error) {
	if errno != 0 {
		return 0, errno
	}
	return Port(r), nil
}

func ioctlUnbindPort(fd int, port Port) error {
	arg := portArg{port: uint32(port)}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlUnbind, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return errno
	}
	return nil
}

// notifyPort does not announce the call to the Go scheduler: it blocks only on
// another request on the same fd, and runs once per message.
func notifyPort(fd int, port Port) error {
	arg := portArg{port: uint32(port)}
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), ioctlNotify, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return errno
	}
	return nil
}

// resetPorts empties the kernel's queue.
func resetPorts(fd int) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlReset, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// writePort unmasks a port; raw for the same reason as notifyPort.
func writePort(fd int, port Port) error {
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&port)), unsafe.Sizeof(port))
	if errno != 0 {
		return errno
	}
	return nil
}

// readPorts blocks until there is at least one port.
func readPorts(fd int, ports []Port) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_READ, uintptr(fd),
		uintptr(unsafe.Pointer(&ports[0])), uintptr(len(ports))*unsafe.Sizeof(ports[0]))
	if errno != 0 {
		return 0, errno
	}
	return int(n / unsafe.Sizeof(ports[0])), nil
}

// pollIn reports whether fd has ports to read now, for a wait whose deadline
// has passed. An overflow of the kernel's queue (POLLERR) counts as ready: the
// read returns the error.
func pollIn(fd int) error {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	for err == unix.EINTR { // by a signal of Go's scheduler
		n, err = unix.Poll(fds[:], 0)
	}
	switch {
	case err != nil:
		return opError("wait", err)
	case n == 0:
		return errWaitDeadline
	}
	return nil
}
