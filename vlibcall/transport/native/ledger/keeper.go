// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/clock"
)

// Keeper is the server's side. It is safe for concurrent use.
type Keeper struct {
	file  *os.File // locked as long as the server lives
	mem   []byte
	path  string
	mu    sync.Mutex
	meter meter
	owner any // of the call under way
	who   uint32
	start time.Duration
}

// meter is the part of *cgroup.Meter that a Keeper uses.
type meter interface {
	Usage() (time.Duration, error)
	Close() error
}

// Keep makes the ledger of the domain in directory dir. ErrNone says why there
// is none: this process is in no cgroup of its own, or another server of the
// domain has the ledger.
func Keep(dir string) (*Keeper, error) {
	tree, path, err := cgroup.Own()
	if err != nil {
		return nil, fmt.Errorf("%w: %w: start it with 'vlibmaster cgroup run'", ErrNone, err)
	}
	m, err := tree.Meter(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	k, err := keep(dir, m)
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return k, nil
}

func keep(dir string, m meter) (_ *Keeper, err error) {
	path := File(dir)
	if old, err := os.Open(path); err == nil {
		err = unix.Flock(int(old.Fd()), unix.LOCK_SH|unix.LOCK_NB)
		if old.Close(); err != nil {
			return nil, fmt.Errorf("%w: another server of the domain keeps %s", ErrNone, path)
		}
	}
	f, err := os.CreateTemp(dir, Name+"-*")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	k := &Keeper{file: f, path: path, meter: m}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.unmap(), f.Close(), os.Remove(f.Name()))
		}
	}()
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	if err = f.Truncate(size); err != nil {
		return nil, err
	}
	if k.mem, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	copy(k.mem, magic)
	return k, os.Rename(f.Name(), path)
}

func (k *Keeper) word(at int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&k.mem[at]))
}

// May returns why a reservation may not be charged for calls to this domain
// now, wrapping ErrDenied, or nil.
func (k *Keeper) May(r uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.may(r)
}

func (k *Keeper) may(r uint32) error {
	switch {
	case k.mem == nil:
		return ErrNone
	case r == 0 || r >= MaxReservation || k.word(slot(r)+slotAllowed).Load() != 1:
		return fmt.Errorf("reservation %d %w, or does not exist: 'vlibmaster ps' lists them; name the domain with 'vlibmaster run --calls'", r, ErrDenied)
	case clock.Monotonic() >= duration(k.word(atUntil).Load()):
		return fmt.Errorf("reservation %d %w: no vlibmaster keeps its budget just now: start 'vlibmaster serve'", r, ErrDenied)
	}
	return nil
}

// Begin records that a call of owner's channel begins, charged to r.
func (k *Keeper) Begin(owner any, r uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.may(r); err != nil {
		return err
	}
	start, err := k.usage()
	if err != nil {
		return err
	}
	k.owner, k.who, k.start = owner, r, start
	k.change(func() {
		k.word(atServing).Store(uint64(r))
		k.word(atStart).Store(uint64(start))
	})
	return nil
}

// End records that owner's call, or its charge, has ended. Further calls do
// nothing.
func (k *Keeper) End(owner any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner != owner || k.owner == nil || k.mem == nil {
		return
	}
	now, err := k.usage()
	if err != nil {
		now = k.start // the cgroup is gone, and this process with it
	}
	used := max(now-k.start, 0)
	at := slot(k.who)
	k.change(func() {
		k.word(at + slotUsed).Add(uint64(used))
		k.word(at + slotLast).Store(uint64(used))
		k.word(atServing).Store(0)
	})
	k.owner = nil
}

// change brackets changes, so that readers see all of them or none.
func (k *Keeper) change(f func()) {
	k.word(atSequence).Add(1)
	f()
	k.word(atSequence).Add(1)
}

// usage is exact for the calling thread: reading its own clock makes the kernel
// account for it. Other running threads are as of the last tick.
func (k *Keeper) usage() (time.Duration, error) {
	clock.Thread()
	return k.meter.Usage()
}

// Close removes the ledger.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mem == nil {
		return nil
	}
	err := os.Remove(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // with its directory
	}
	return errors.Join(err, k.unmap(), k.file.Close(), k.meter.Close())
}

func (k *Keeper) unmap() error {
	if k.mem == nil {
		return nil
	}
	err := unix.Munmap(k.mem)
	k.mem = nil
	return err
}
