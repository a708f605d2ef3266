// SPDX-License-Identifier: Apache-2.0

package load

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Line is the size of a cache line in bytes.
const Line = 64

const (
	words    = Line / 8
	hugePage = 2 << 20
)

// buffer is memory outside of the garbage collector, in huge pages if possible:
// without them each access would include one to a page table.
type buffer struct {
	raw   []byte
	bytes []byte
	huge  bool // they were requested and not refused
}

func newBuffer(size int) (buffer, error) {
	raw, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return buffer{}, fmt.Errorf("a buffer of %d bytes: %w", size, err)
	}
	skip := -uintptr(unsafe.Pointer(&raw[0])) % hugePage
	b := raw[skip : skip+uintptr(size)]
	return buffer{raw, b, unix.Madvise(b, unix.MADV_HUGEPAGE) == nil}, nil
}

func (b buffer) free() error { return unix.Munmap(b.raw) }

// Ring is a buffer whose lines point to each other in one random cycle.
type Ring struct {
	buffer
	next []uint64 // the first word of each line is the place of the next
}

// NewRing makes a ring of that many bytes, at least a line.
func NewRing(size int) (*Ring, error) {
	b, err := newBuffer(size)
	if err != nil {
		return nil, err
	}
	r := &Ring{buffer: b, next: unsafe.Slice((*uint64)(unsafe.Pointer(&b.bytes[0])), size/8)}
	o := newOrder(uint64(size / Line))
	for i := range o.n {
		r.next[i*words] = o.line((o.place(i)+1)%o.n) * words
	}
	return r, nil
}

// Follow takes n steps from a place that it returned, or from 0. Each access
// depends on the value read by the one before.
func (r *Ring) Follow(at uint64, n int) uint64 {
	next := r.next
	for range n {
		at = next[at]
	}
	return at
}

// Huge reports whether the ring may be in huge pages.
func (r *Ring) Huge() bool { return r.huge }

// Free frees the memory. The ring must not be followed again.
func (r *Ring) Free() error { return r.free() }
