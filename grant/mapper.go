// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/xendev"
)

const (
	mapLimitPath   = "/sys/module/xen_gntdev/parameters/limit"
	allocLimitPath = "/sys/module/xen_gntalloc/parameters/limit"
)

// Mapper maps and copies pages that other domains have granted to this one. It
// is safe for concurrent use. The owner calls Close. Mappings stay valid after
// it, until they are unmapped.
type Mapper struct {
	dev *xendev.Device
}

// OpenMapper opens /dev/xen/gntdev.
func OpenMapper() (*Mapper, error) {
	dev, err := xendev.Open("/dev/xen/gntdev", "xen-gntdev")
	if err != nil {
		return nil, opError("open", err)
	}
	return &Mapper{dev: dev}, nil
}

// Close closes the device. Closing again does nothing.
func (m *Mapper) Close() error { return opError("close", m.dev.Close()) }

// Map maps the pages that domain domid has granted as refs, contiguously and in
// that order, at an address that the kernel chooses. It maps all pages or none.
// With notify the kernel acts when the mapping ends, from before Map returns.
// To clear a byte the mapping must be writable.
//
// When Xen refuses a page the error wraps a [RefError] that names it. More refs
// than one request may have are a [LimitError].
func (m *Mapper) Map(domid uint16, refs []uint32, writable bool, notify *Notify) (*Mapping, error) {
	op := fmt.Sprintf("map %d pages of domain %d", len(refs), domid)
	if err := checkMap(refs, writable, notify); err != nil {
		return nil, opError(op, err)
	}
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	p := &Mapping{mapper: m, pages: len(refs)}
	var refused bool
	var err error
	if p.index, p.mem, refused, err = m.mmap(domid, refs, prot); err != nil {
		// Where the limit cannot be read, the kernel's answer stands.
		if limit, ok := readLimit(mapLimitPath); ok && uint64(len(refs)) > limit {
			err = &LimitError{Parameter: mapLimitPath, Limit: limit, Wanted: len(refs)}
		} else if refused {
			err = m.explain(domid, refs, writable, err)
		}
		return nil, opError(op, err)
	}
	if notify != nil {
		if err := p.SetNotify(*notify); err != nil {
			_ = p.Unmap()
			return nil, opError(op, err)
		}
	}
	return p, nil
}

func checkMap(refs []uint32, writable bool, notify *Notify) error {
	if len(refs) == 0 {
		return fmt.Errorf("no grant references: %w", unix.EINVAL)
	}
	if notify != nil && notify.Clear && !writable {
		return fmt.Errorf("clear a byte of a read-only mapping: %w", unix.EINVAL)
	}
	return nil
}

// mmap reserves and maps pages. A process' first mapping takes all locks of its
// memory, and the kernel gives that up when a signal arrives
// (mm_take_all_locks, mm/mmap.c); Go's runtime sends signals to itself. The
// reservation is of no use then, since the kernel considers it mapped, so
// reservation and mapping are repeated together. refused reports that the pages
// were reserved and their mapping failed.
func (m *Mapper) mmap(domid uint16, refs []uint32, prot int) (index uint64, mem []byte, refused bool, err error) {
	for {
		if index, err = m.reserve(domid, refs); err != nil {
			return 0, nil, false, err
		}
		if mem, err = m.dev.Mmap(index, len(refs)*pageSize, prot); err == nil {
			return index, mem, false, nil
		}
		_ = m.forget(index, len(refs)) // report the first error
		if err != unix.EINTR {
			return 0, nil, true, err
		}
	}
}

// reserve tells the kernel which pages a following mmap at index maps.
func (m *Mapper) reserve(domid uint16, refs []uint32) (index uint64, err error) {
	// Words of eight bytes provide the structure's alignment.
	buf := make([]uint64, (mapHeaderSize+uintptr(len(refs))*unsafe.Sizeof(grantRef{}))/8)
	arg := (*mapGrantRef)(unsafe.Pointer(&buf[0]))
	arg.count = uint32(len(refs))
	list := unsafe.Slice(&arg.refs[0], len(refs))
	for i, ref := range refs {
		list[i].domid, list[i].ref = uint32(domid), ref
	}
	if _, err := m.dev.Ioctl(ioctlMapGrantRef, unsafe.Pointer(arg)); err != nil {
		return 0, err
	}
	return arg.index, nil
}

// forget ends a reservation. The pages are freed with their last mapping.
func (m *Mapper) forget(index uint64, pages int) error {
	arg := unmapGrantRef{index: index, count: uint32(pages)}
	_, err := m.dev.Ioctl(ioctlUnmapGrantRef, unsafe.Pointer(&arg))
	return err
}

// explain finds the page that made mmap fail with err. The kernel returns
// EINVAL for every refusal, so explain asks Xen for each page: copying one byte
// of it returns a status, and is allowed wherever mapping it is. If all can be
// read, a writable mapping was refused because a grant is read-only.
func (m *Mapper) explain(domid uint16, refs []uint32, writable bool, err error) error {
	var sink [1]byte
	segments := make([]Segment, len(refs))
	for i, ref := range refs {
		segments[i] = Segment{Ref: ref, Local: sink[:]}
	}
	switch refused := m.copyAll(domid, segments).(type) {
	case nil:
	case *RefError:
		return refused
	default:
		return err
	}
	if !writable {
		return err
	}
	// Halving bounds the number of attempts: a mapping takes milliseconds
	// however small it is, and a granter must not be able to delay us by a
	// thousand of them.
	for len(refs) > 1 {
		half := len(refs) / 2
		if m.writable(domid, refs[:half]) {
			refs = refs[half:]
		} else {
			refs = refs[:half]
		}
	}
	if m.writable(domid, refs) {
		return err // each one can be mapped, but not all of them together
	}
	return &RefError{Domain: domid, Ref: refs[0], Status: StatusPermissionDenied}
}

// writable reports whether pages can be mapped for writing.
func (m *Mapper) writable(domid uint16, refs []uint32) bool {
	index, mem, _, err := m.mmap(domid, refs, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return false
	}
	err = unix.Munmap(mem)
	_ = m.forget(index, len(refs))
	return err == nil
}

// readLimit reads a module parameter; ok is false where it does not exist.
func readLimit(path string) (limit uint64, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	limit, err = strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return limit, err == nil
}
