// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"fmt"
	"os"
)

// Hypercall makes hypercall op with values as its arguments and returns Xen's
// value. It is for packages that know a hypercall this package does not. Xen
// cannot check the caller's intention. It allocates nothing.
//
// An argument must not be an address: see [Handle.HypercallMemory]. The error
// is a unix.Errno or os.ErrClosed, without an [OpError].
func (h *Handle) Hypercall(op uint64, args [5]uint64) (uint64, error) {
	r, err := h.hypercall(op, args[0], args[1], args[2], args[3], args[4])
	return uint64(r), err
}

// HypercallMemory is Hypercall with one argument, number at from 0, that is the
// address of a structure: mem is copied to memory that Xen may write, and
// copied back after the hypercall, even if it failed.
func (h *Handle) HypercallMemory(op uint64, args [5]uint64, at int, mem []byte) (uint64, error) {
	if at < 0 || at >= len(args) || len(mem) > bufferSize {
		return 0, fmt.Errorf("argument %d, a structure of %d bytes: expected 0 to %d and at most %d: %w",
			at, len(mem), len(args)-1, bufferSize, os.ErrInvalid)
	}
	b, err := h.buffers.get()
	if err != nil {
		return 0, err
	}
	defer h.buffers.put(b)
	copy(b.mem, mem)
	_, args[at] = b.at(0)
	r, err := h.Hypercall(op, args)
	copy(mem, b.mem)
	return r, err
}
