// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"github.com/vlibos/vlibos/internal/xendev"
)

// Handle is an open connection to the hypervisor. All methods are safe for
// concurrent use. The owner calls Close.
type Handle struct {
	privcmd *xendev.Device
	buffers bufferPool

	domctlFound, sysctlFound atomic.Uint32 // the versions that Xen accepts; 0: not yet found
}

// Open opens /dev/xen/privcmd.
func Open() (*Handle, error) {
	privcmd, err := xendev.Open("/dev/xen/privcmd", "xen-privcmd")
	if err != nil {
		return nil, opError("open", err)
	}
	h := &Handle{privcmd: privcmd}
	if err := h.buffers.open(); err != nil {
		return nil, opError("open", errors.Join(err, privcmd.Close()))
	}
	return h, nil
}

// Close waits for calls in progress and frees the handle's resources. Closing
// again does nothing.
func (h *Handle) Close() error {
	return opError("close", errors.Join(h.privcmd.Close(), h.buffers.close()))
}

// hypercall returns Xen's own value. The error is a unix.Errno or os.ErrClosed.
// An argument that is an address must point into a buffer of the pool.
func (h *Handle) hypercall(op uint64, args ...uint64) (uintptr, error) {
	arg := privcmdHypercall{op: op}
	copy(arg.arg[:], args)
	return h.privcmd.Ioctl(ioctlHypercall, unsafe.Pointer(&arg))
}
