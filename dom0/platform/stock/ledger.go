// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"errors"
	"fmt"
	"os"
	"structs"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl"
)

// ledger is a file, mapped by the daemon and its guard, of what was done to
// domains. It outlives the daemon however that ends.
type ledger struct {
	mem     []byte
	entries []entry
}

// entries is how many reservations a master can have.
const entries = 2048

// entry is what was done to one domain. Only the daemon writes what is no
// atomic, and before it sets used.
type entry struct {
	_         structs.HostLayout
	used      atomic.Uint32
	pause     atomic.Uint32 // below
	before    atomic.Uint32 // its weight when nobody here has set it
	front     uint32        // the weight that it has with budget; 0: it is paused without
	scheduler uint32
	domid     uint32
	uuid      [16]byte
	pad       [24]byte
}

// What is done about pausing a domain. Each step is written before the next, so
// that a process that dies in between leaves no doubt but whether Xen has done
// what it was just told; Xen's own flag then says that.
//
//	none → pausing → paused → unpausing → none
const (
	none = iota
	pausing
	paused
	unpausing
)

// openLedger makes the file if it is not there.
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

func (e *entry) of(info xenctl.DomainInfo) bool {
	return e.used.Load() != 0 && e.domid == uint32(info.ID) && e.uuid == info.UUID
}

// add makes an entry of a domain to which nothing was done.
func (l *ledger) add(info xenctl.DomainInfo, s xenctl.Scheduler, before, front uint16) (*entry, error) {
	for i := range l.entries {
		e := &l.entries[i]
		if e.used.Load() != 0 {
			continue
		}
		e.scheduler, e.front, e.domid, e.uuid = uint32(s), uint32(front), uint32(info.ID), info.UUID
		e.before.Store(uint32(before))
		e.pause.Store(none)
		e.used.Store(1)
		return e, nil
	}
	return nil, fmt.Errorf("%d domains are kept already", len(l.entries))
}
