// SPDX-License-Identifier: Apache-2.0

// Package xendev opens Xen device nodes. It solves one problem for packages
// grant and xenctl: an ioctl must never use a file descriptor that Close has
// freed. It knows no requests and no structures.
//
// It is not for devices on which a caller waits (package evtchn): Close waits
// for the requests in progress.
package xendev

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Device is an open device node. All methods are safe for concurrent use.
type Device struct {
	// mu is held shared during each system call on fd, and exclusively by
	// Close, so that fd cannot be closed, and its number reused for another
	// file, during a call. It costs two atomic additions a call, and no
	// allocation.
	mu sync.RWMutex
	fd int // -1 when closed
}

// Open opens a node for reading and writing. module names the kernel module
// that provides it, for the error when the node does not exist.
func Open(path, module string) (*Device, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("%s: %w (not a Xen domain, or the module %s is not loaded)", path, err, module)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Device{fd: fd}, nil
}

// Ioctl makes a request and returns the call's own value. arg points to the
// request's structure. The error is a unix.Errno or os.ErrClosed.
func (d *Device) Ioctl(req uintptr, arg unsafe.Pointer) (uintptr, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.fd < 0 {
		return 0, os.ErrClosed
	}
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), req, uintptr(arg))
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}

// Mmap maps length bytes at offset, shared. The mapping outlives Close; the
// caller unmaps it with unix.Munmap.
func (d *Device) Mmap(offset uint64, length, prot int) ([]byte, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.fd < 0 {
		return nil, os.ErrClosed
	}
	return unix.Mmap(d.fd, int64(offset), length, prot, unix.MAP_SHARED)
}

// Close waits for the calls in progress and closes the node. Closing again does
// nothing.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return nil
	}
	fd := d.fd
	d.fd = -1
	return unix.Close(fd)
}
