// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Mapping is other domains' memory in this process. Unmap it after its last
// user has finished. The package documentation says what happens when the
// granter ends first.
type Mapping struct {
	mapper *Mapper
	index  uint64
	pages  int

	mu  sync.Mutex
	mem []byte // nil when unmapped
}

// Bytes returns the mapped memory, all pages in the order of the references;
// nil when unmapped. It is valid until Unmap.
func (p *Mapping) Bytes() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mem
}

// SetNotify replaces the kernel's action at the end of the mapping.
func (p *Mapping) SetNotify(n Notify) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mem == nil {
		return opError("set unmap notification", os.ErrClosed)
	}
	err := setNotify(p.mapper.dev.Ioctl, ioctlMapNotify, p.index, p.pages, n)
	return opError("set unmap notification", err)
}

// Unmap returns the pages to their domain and triggers the notification. No
// slice of Bytes may be in use, or be used later. Unmapping again does nothing.
func (p *Mapping) Unmap() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mem == nil {
		return nil
	}
	mem := p.mem
	p.mem = nil
	err := unix.Munmap(mem)
	// A closed mapper has already forgotten the pages.
	if ferr := p.mapper.forget(p.index, p.pages); !errors.Is(ferr, os.ErrClosed) {
		err = errors.Join(err, ferr)
	}
	return opError(fmt.Sprintf("unmap %d pages", p.pages), err)
}

// setNotify is the same request for both devices.
func setNotify(ioctl func(uintptr, unsafe.Pointer) (uintptr, error), req uintptr, index uint64, pages int, n Notify) error {
	if n.Offset < 0 || n.Offset >= pages*pageSize {
		return fmt.Errorf("byte %d is outside the %d bytes: %w", n.Offset, pages*pageSize, unix.EINVAL)
	}
	arg := unmapNotify{index: index + uint64(n.Offset), action: n.action(), port: n.Port}
	_, err := ioctl(req, unsafe.Pointer(&arg))
	return err
}

func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Err: err}
}
