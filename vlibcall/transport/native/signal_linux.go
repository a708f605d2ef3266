// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"os"
	"structs"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Both sides of a channel have the same eventfd, including flags and counter. A
// peer can fill the counter and clear O_NONBLOCK at any moment, and then a
// write blocks for as long as the peer likes. The kernel signals an eventfd
// without waiting when asynchronous I/O completes (io_submit(2),
// IOCB_FLAG_RESFD). So a signal here is an empty read of /dev/null that
// completes at once. It costs 0.2 µs more than a write, and the process some 30
// ms at its end. A timerfd never blocks either, but costs 20 µs a signal on a
// virtual machine.

// iocb is struct iocb of linux/aio_abi.h.
type iocb struct {
	_       structs.HostLayout
	data    uint64
	key     uint32 // written by the kernel, the same value each time
	rwFlags uint32
	opcode  uint16
	prio    int16
	fd      uint32
	buf     uint64
	bytes   uint64
	offset  int64
	_       uint64
	flags   uint32
	resfd   uint32
}

// IOCB_CMD_PREAD and IOCB_FLAG_RESFD of linux/aio_abi.h.
const (
	cmdPread  = 0
	flagResfd = 1
)

// ioEventSize is the size of struct io_event in bytes; drained is how many
// completed requests are removed at once.
const ioEventSize, drained = 32, 64

// signaller is this process's context of asynchronous I/O. It lives as long as
// the process.
type signaller struct {
	context uintptr
	null    *os.File
}

// signals has the only signaller, once it could be made: contexts are limited
// for all users of a machine together (fs.aio-max-nr), and others may use all.
var signals = struct {
	mu   sync.Mutex
	one  *signaller
	open func() (*signaller, error)
}{open: newSignaller}

func openSignaller() (_ *signaller, err error) {
	signals.mu.Lock()
	defer signals.mu.Unlock()
	if signals.one == nil {
		signals.one, err = signals.open()
	}
	return signals.one, err
}

func newSignaller() (*signaller, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	s := &signaller{null: null}
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&s.context)), 0); errno != 0 {
		return nil, errors.Join(os.NewSyscallError("io_setup", errno), null.Close())
	}
	return s, nil
}

// request makes the request with which submit signals fd.
func (s *signaller) request(fd int) *iocb {
	return &iocb{opcode: cmdPread, fd: uint32(s.null.Fd()), flags: flagResfd, resfd: uint32(fd)}
}

// submit signals. EINVAL means that the request's descriptor is not an eventfd.
func (s *signaller) submit(request **iocb) error {
	for {
		// It does not block, so the Go scheduler need not be told.
		_, _, errno := unix.RawSyscall(unix.SYS_IO_SUBMIT, s.context, 1, uintptr(unsafe.Pointer(request)))
		if errno == 0 {
			return nil
		}
		if errno != unix.EAGAIN {
			return os.NewSyscallError("io_submit", errno)
		}
		// The ring is full of completed requests.
		var events [drained * ioEventSize]byte
		var now unix.Timespec
		_, _, errno = unix.Syscall6(unix.SYS_IO_GETEVENTS, s.context, 0, drained, uintptr(unsafe.Pointer(&events)), uintptr(unsafe.Pointer(&now)), 0)
		if errno != 0 && errno != unix.EINTR {
			return os.NewSyscallError("io_getevents", errno)
		}
	}
}
