// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
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
	calls []call        // under way, in the order in which they began; the first is charged
	start time.Duration // use when the first became that
}

// call is one request of owner's channel, charged to a reservation.
type call struct {
	owner       any
	request     uint64
	reservation uint32
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

// Begin records that a request of owner's channel is served, charged to r: while
// earlier ones are served too, it is charged when they have ended.
func (k *Keeper) Begin(owner any, request uint64, r uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.may(r); err != nil {
		return err
	}
	if len(k.calls) == 0 {
		start, err := k.usage()
		if err != nil {
			return err
		}
		k.change(func() { k.charge(r, start) })
	}
	k.calls = append(k.calls, call{owner, request, r})
	return nil
}

// charge makes r pay from now on.
func (k *Keeper) charge(r uint32, now time.Duration) {
	k.start = now
	k.word(atServing).Store(uint64(r))
	k.word(atStart).Store(uint64(now))
}

// End records that a request of owner's channel has been served. It does nothing if
// its charge has ended before.
func (k *Keeper) End(owner any, request uint64) {
	k.end(func(c call) bool { return c.owner == owner && c.request == request })
}

// Drop ends the charge for all requests of owner's channel.
func (k *Keeper) Drop(owner any) { k.end(func(c call) bool { return c.owner == owner }) }

func (k *Keeper) end(over func(call) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mem == nil || len(k.calls) == 0 {
		return
	}
	first := k.calls[0]
	k.calls = slices.DeleteFunc(k.calls, over)
	if len(k.calls) > 0 && k.calls[0] == first {
		return
	}
	now, err := k.usage()
	if err != nil {
		now = k.start // the cgroup is gone, and this process with it
	}
	used := max(now-k.start, 0)
	at, next := slot(first.reservation), uint32(0)
	if len(k.calls) > 0 {
		next = k.calls[0].reservation
	}
	k.change(func() {
		k.word(at + slotUsed).Add(uint64(used))
		k.word(at + slotLast).Store(uint64(used))
		k.charge(next, now)
	})
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
