// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/xendev"
)

// bufferSize is enough for any of our structures and a batch of domain records.
const bufferSize = 4 * 4096

// buffer is memory that Xen may read and write during a hypercall: the kernel
// neither moves nor reclaims it.
type buffer struct {
	mem []byte
}

// at returns a pointer to a structure, and its address for the hypercall.
func (b *buffer) at(offset uintptr) (unsafe.Pointer, uint64) {
	p := unsafe.Pointer(&b.mem[offset])
	return p, uint64(uintptr(p))
}

// bufferPool has the buffers between calls, as many as there were concurrent
// calls.
type bufferPool struct {
	dev *xendev.Device // /dev/xen/hypercall; nil where it does not exist

	mu     sync.Mutex
	free   []*buffer
	closed bool
}

func (p *bufferPool) open() error {
	dev, err := xendev.Open("/dev/xen/hypercall", "xen-privcmd")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // before Linux 4.18
	}
	p.dev = dev
	return err
}

// get returns a zeroed buffer.
func (p *bufferPool) get() (*buffer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, os.ErrClosed
	}
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		clear(b.mem)
		return b, nil
	}
	mem, err := p.allocate()
	if err != nil {
		return nil, fmt.Errorf("allocate a hypercall buffer: %w", err)
	}
	return &buffer{mem: mem}, nil
}

func (p *bufferPool) allocate() ([]byte, error) {
	if p.dev != nil {
		return p.dev.Mmap(0, bufferSize, unix.PROT_READ|unix.PROT_WRITE)
	}
	return lockedMemory(bufferSize)
}

// lockedMemory does not move, even if the process forks: MLOCK alone does not
// prevent that the child gets the page to which Xen writes.
func lockedMemory(size int) ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	err = errors.Join(unix.Madvise(mem, unix.MADV_DONTFORK), unix.Mlock(mem))
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(mem))
	}
	return mem, nil
}

func (p *bufferPool) put(b *buffer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = unix.Munmap(b.mem) // the call that used it has its result
		return
	}
	p.free = append(p.free, b)
}

func (p *bufferPool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, b := range p.free {
		errs = append(errs, unix.Munmap(b.mem))
	}
	p.free, p.closed = nil, true
	if p.dev != nil {
		errs = append(errs, p.dev.Close())
	}
	return errors.Join(errs...)
}
