// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Pages is memory of this domain that another one may map. Free it after its
// last user in this process has finished. Pages that the other side has mapped
// stay readable and writable there until it unmaps them; the kernel does not
// reuse them before.
type Pages struct {
	allocator *Allocator
	index     uint64
	refs      []uint32

	mu  sync.Mutex
	mem []byte // nil when freed
}

// Refs returns the grant references, one per page, in the order of Bytes.
func (p *Pages) Refs() []uint32 { return slices.Clone(p.refs) }

// Bytes returns the memory; nil when freed. It is valid until Free.
func (p *Pages) Bytes() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mem
}

// SetNotify replaces the kernel's action when this side's use of the page that
// has the byte at Offset ends, by Free or because the process died. The byte is
// cleared even if the other side still reads it.
func (p *Pages) SetNotify(n Notify) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mem == nil {
		return opError("set free notification", os.ErrClosed)
	}
	err := setNotify(p.allocator.dev.Ioctl, ioctlAllocNotify, p.index, len(p.refs), n)
	return opError("set free notification", err)
}

// Free revokes the grants, triggers the notification and unmaps the memory. No
// slice of Bytes may be in use, or be used later. Freeing again does nothing.
func (p *Pages) Free() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mem == nil {
		return nil
	}
	mem := p.mem
	p.mem = nil
	err := unix.Munmap(mem)
	// A closed allocator has already revoked them.
	if rerr := p.allocator.revoke(p.index, len(p.refs)); !errors.Is(rerr, os.ErrClosed) {
		err = errors.Join(err, rerr)
	}
	return opError(fmt.Sprintf("free %d pages", len(p.refs)), err)
}
