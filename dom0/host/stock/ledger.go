// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"fmt"
	"os"
	"structs"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/xenctl"
)

// ledger is a file, mapped by the daemon and its guard, of the changes made to
// domains. It outlives the daemon however that ends. Its name has the layout's
// version, so that a daemon of another version finds no entries that it would
// misread; its own guard undoes those.
type ledger struct {
	mem     []byte
	entries []entry
}

// entries is how many reservations a master can have.
const entries = 2048

// entry records the changes to one domain at one place. Only the daemon writes
// the fields that are not atomic, and before it sets used: another place is
// another entry.
type entry struct {
	_         structs.HostLayout
	used      atomic.Uint32
	pause     atomic.Uint32 // none, pausing, paused or unpausing
	before    atomic.Uint32 // its weight when it was not set here
	front     uint32        // the weight that it has with budget; 0: it is paused without
	pool      uint32
	scheduler uint32
	domid     uint32
	id        uint32        // of the reservation
	ran       atomic.Uint64 // CPU time that the domain had used when it was last seen, in ns
	pad       [24]byte
}

// place is where a domain is, and the weight that follows from it.
type place struct {
	pool      uint32
	scheduler xenctl.Scheduler
	front     uint16 // the weight that the domain has with budget; 0: there are no weights
}

func (e *entry) place() place {
	return place{e.pool, xenctl.Scheduler(e.scheduler), uint16(e.front)}
}

// The states of a pause of ours. Each step is written before the next, so that
// after a process died in between only one question is open: whether Xen has
// done the last thing it was told. Xen's own flag answers it.
//
//	none → pausing → paused → unpausing → none
const (
	none = iota
	pausing
	paused
	unpausing
)

// openLedger creates the file if it does not exist.
func openLedger(name string) (*ledger, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	size := entries * int(unsafe.Sizeof(entry{}))
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Size() == 0:
		err = f.Truncate(int64(size))
	case info.Size() != int64(size):
		err = fmt.Errorf("%s has %d bytes, expected %d: remove it when no vlibmaster runs", name, info.Size(), size)
	}
	l := new(ledger)
	if err == nil {
		l.mem, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	l.entries = unsafe.Slice((*entry)(unsafe.Pointer(&l.mem[0])), entries)
	return l, nil
}

func (l *ledger) close() error {
	l.entries = nil
	return unix.Munmap(l.mem)
}

// of reports whether the entry is of the domain with that record, whatever its
// handle is now.
func (e *entry) of(info xenctl.DomainInfo) bool {
	return e.used.Load() != 0 && e.domid == uint32(info.ID) && !info.Dying && !domains.Another(info, time.Duration(e.ran.Load()))
}

// saw records the CPU time of the entry's domain.
func (e *entry) saw(info xenctl.DomainInfo) { e.ran.Store(max(e.ran.Load(), uint64(info.CPUTime))) }

// has reports whether any process has changed a domain for a reservation.
func (l *ledger) has(info xenctl.DomainInfo, id uint32) bool {
	for i := range l.entries {
		if e := &l.entries[i]; e.of(info) && e.id == id {
			return true
		}
	}
	return false
}

// add makes an entry of a domain that was not changed at that place.
func (l *ledger) add(info xenctl.DomainInfo, id uint32, p place, before uint16) (*entry, error) {
	for i := range l.entries {
		e := &l.entries[i]
		if e.used.Load() != 0 {
			continue
		}
		e.pool, e.scheduler, e.front, e.domid, e.id = p.pool, uint32(p.scheduler), uint32(p.front), uint32(info.ID), id
		e.before.Store(uint32(before))
		e.ran.Store(uint64(info.CPUTime))
		e.pause.Store(none)
		e.used.Store(1)
		return e, nil
	}
	return nil, fmt.Errorf("%d domains are kept already", len(l.entries))
}
