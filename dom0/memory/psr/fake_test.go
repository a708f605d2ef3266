// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"fmt"
	"maps"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl"
)

// place identifies a value of a domain.
type place struct {
	socket int
	kind   xenctl.Allocation
}

type values map[place]uint64

// fakeXen assigns classes of service as Xen does: one for each set of values that
// differs from the default, on each socket.
type fakeXen struct {
	l3, l2    *xenctl.CacheInfo
	bandwidth *xenctl.BandwidthInfo
	sockets   int
	classes   int

	domain  map[uint16]byte // the last byte of its UUID, and the minutes that it has run
	has     map[uint16]values
	refuse  func(id uint16, a xenctl.Allocation, v uint64) bool
	closed  int
	calls   Calls
	reloads int // of any domain
}

// followers are the domains whose class follows calls; refuse is the answer for all.
type followers struct {
	on     map[uint16]bool
	refuse error
}

func (f *followers) CanFollow() error { return f.refuse }

func (f *followers) Follow(id uint16, on bool) error {
	if on && f.refuse != nil {
		return f.refuse
	}
	delete(f.on, id)
	if on {
		f.on[id] = true
	}
	return nil
}

func (f *fakeXen) Reload(id uint16) { f.reloads++ }

func newFake(cdp bool) *fakeXen {
	return &fakeXen{
		l3: &xenctl.CacheInfo{Bits: 12, Classes: 4, CDP: cdp}, bandwidth: &xenctl.BandwidthInfo{Most: 90, Classes: 4, Linear: true},
		sockets: 2, classes: 4, domain: map[uint16]byte{}, has: map[uint16]values{},
	}
}

func (f *fakeXen) info(socket int, there bool) error {
	switch {
	case socket >= f.sockets:
		return &xenctl.OpError{Op: "ask", Err: unix.ERANGE}
	case !there:
		return &xenctl.OpError{Op: "ask", Err: xenctl.ErrNotSupported}
	}
	return nil
}

func (f *fakeXen) L3Info(socket int) (i xenctl.CacheInfo, err error) {
	if err = f.info(socket, f.l3 != nil); err == nil {
		i = *f.l3
	}
	return i, err
}

func (f *fakeXen) L2Info(socket int) (i xenctl.CacheInfo, err error) {
	if err = f.info(socket, f.l2 != nil); err == nil {
		i = *f.l2
	}
	return i, err
}

func (f *fakeXen) BandwidthInfo(socket int) (i xenctl.BandwidthInfo, err error) {
	if err = f.info(socket, f.bandwidth != nil); err == nil {
		i = *f.bandwidth
	}
	return i, err
}

func (f *fakeXen) DomainInfo(id uint16) (xenctl.DomainInfo, error) {
	u, ok := f.domain[id]
	if !ok {
		return xenctl.DomainInfo{}, xenctl.ErrNoDomain
	}
	return xenctl.DomainInfo{ID: id, UUID: [16]byte{15: u}, CPUTime: time.Duration(u) * time.Minute}, nil
}

// create makes a domain in the default class.
func (f *fakeXen) create(id uint16, uuid byte) {
	f.domain[id], f.has[id] = uuid, f.initial()
}

func (f *fakeXen) destroy(id uint16) {
	delete(f.domain, id)
	delete(f.has, id)
}

func (f *fakeXen) initial() values {
	v := values{}
	for s := range f.sockets {
		if f.l3.CDP {
			v[place{s, xenctl.L3Code}], v[place{s, xenctl.L3Data}] = 0xfff, 0xfff
		} else {
			v[place{s, xenctl.L3Mask}] = 0xfff
		}
		v[place{s, xenctl.Throttle}] = 0
	}
	return v
}

func (f *fakeXen) Allocation(id uint16, socket int, a xenctl.Allocation) (uint64, error) {
	if _, ok := f.domain[id]; !ok {
		return 0, xenctl.ErrNoDomain
	}
	v, ok := f.has[id][place{socket, a}]
	if !ok {
		return 0, unix.EINVAL
	}
	return v, nil
}

func (f *fakeXen) SetAllocation(id uint16, socket int, a xenctl.Allocation, v uint64) error {
	if _, ok := f.domain[id]; !ok {
		return xenctl.ErrNoDomain
	}
	if f.refuse != nil && f.refuse(id, a, v) || a != xenctl.Throttle && (v == 0 || v > 0xfff) {
		return unix.EINVAL
	}
	after := maps.Clone(f.has[id])
	kinds := []xenctl.Allocation{a}
	if a == xenctl.L3Mask && f.l3.CDP {
		kinds = []xenctl.Allocation{xenctl.L3Code, xenctl.L3Data}
	}
	for _, k := range kinds {
		if _, ok := after[place{socket, k}]; !ok {
			return xenctl.ErrNotSupported
		}
		after[place{socket, k}] = v
	}
	was := f.has[id]
	f.has[id] = after
	if f.used(socket) > f.classes {
		f.has[id] = was
		return fmt.Errorf("%w (%w)", xenctl.ErrNoClass, unix.EOVERFLOW)
	}
	return nil
}

// used counts the classes of a socket that are in use.
func (f *fakeXen) used(socket int) int {
	on := func(v values) (of [xenctl.Throttle + 1]uint64) {
		for k := range of {
			of[k] = v[place{socket, xenctl.Allocation(k)}]
		}
		return of
	}
	seen := map[[xenctl.Throttle + 1]uint64]bool{on(f.initial()): true}
	for _, v := range f.has {
		seen[on(v)] = true
	}
	return len(seen) - 1
}

func (f *fakeXen) Close() error {
	f.closed++
	return nil
}

// state is what all domains have.
func (f *fakeXen) state() map[uint16]values {
	s := make(map[uint16]values)
	for id, v := range f.has {
		s[id] = maps.Clone(v)
	}
	return s
}
