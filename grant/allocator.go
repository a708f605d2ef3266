// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/xendev"
)

// Allocator allocates pages and grants them to other domains. It is safe for
// concurrent use. The owner calls Close. Pages stay valid after it, until they
// are freed.
type Allocator struct {
	dev *xendev.Device
}

// OpenAllocator opens /dev/xen/gntalloc.
func OpenAllocator() (*Allocator, error) {
	dev, err := xendev.Open("/dev/xen/gntalloc", "xen-gntalloc")
	if err != nil {
		return nil, opError("open", err)
	}
	return &Allocator{dev: dev}, nil
}

// Close closes the device. Closing again does nothing.
func (a *Allocator) Close() error { return opError("close", a.dev.Close()) }

// Alloc allocates pages of zeroes, grants each to domain domid, for reading or
// for reading and writing, and maps them here for both. It grants all pages or
// none.
//
// The module's limit counts the pages of all processes of this domain, and
// freed pages that the other side still has mapped. A request above the limit
// is a [LimitError].
func (a *Allocator) Alloc(domid uint16, pages int, writable bool) (*Pages, error) {
	op := fmt.Sprintf("allocate %d pages for domain %d", pages, domid)
	if pages <= 0 {
		return nil, opError(op, unix.EINVAL)
	}
	p, err := a.grant(domid, pages, writable)
	if errors.Is(err, unix.ENOSPC) {
		limit, known := readLimit(allocLimitPath)
		tooMany := &LimitError{Parameter: allocLimitPath, Limit: limit, Wanted: pages}
		if !known || uint64(pages) <= limit {
			tooMany.Hint = "free other pages, or give the domain a larger grant table (max_grant_frames in its xl.cfg)"
		}
		return nil, opError(op, tooMany)
	}
	if err != nil {
		return nil, opError(op, err)
	}
	p.mem, err = a.dev.Mmap(p.index, pages*pageSize, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		_ = a.revoke(p.index, pages) // report the first error
		return nil, opError(op, err)
	}
	return p, nil
}

func (a *Allocator) grant(domid uint16, pages int, writable bool) (*Pages, error) {
	// Words of eight bytes provide the structure's alignment. The kernel reads
	// and writes a whole structure even for one page.
	size := max(allocHeaderSize+uintptr(pages)*4, unsafe.Sizeof(allocGref{}))
	buf := make([]uint64, (size+7)/8)
	arg := (*allocGref)(unsafe.Pointer(&buf[0]))
	arg.domid, arg.count = domid, uint32(pages)
	if writable {
		arg.flags = allocWritable
	}
	if _, err := a.dev.Ioctl(ioctlAllocGref, unsafe.Pointer(arg)); err != nil {
		return nil, err
	}
	refs := slices.Clone(unsafe.Slice(&arg.refs[0], pages))
	return &Pages{allocator: a, index: arg.index, refs: refs}, nil
}

// revoke ends the grants. The kernel keeps a page that the other side has
// mapped, until it is unmapped.
func (a *Allocator) revoke(index uint64, pages int) error {
	arg := deallocGref{index: index, count: uint32(pages)}
	_, err := a.dev.Ioctl(ioctlDeallocGref, unsafe.Pointer(&arg))
	return err
}
