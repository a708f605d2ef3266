// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
	"github.com/vlibos/vlibos/xenctl"
)

// Hypervisor is the part of *xenctl.Handle that this package uses.
type Hypervisor interface {
	Processor
	DomainInfo(domid uint16) (xenctl.DomainInfo, error)
	Allocation(domid uint16, socket int, a xenctl.Allocation) (uint64, error)
	SetAllocation(domid uint16, socket int, a xenctl.Allocation, v uint64) error
	Reload(domid uint16)
	io.Closer
}

// Calls lets a domain have its caller's class while it serves a call, or no longer. It does
// nothing for a domain that has gone, or that cannot be called on a reservation.
type Calls interface {
	// CanFollow returns why no class follows a call; nil: Follow sets it.
	CanFollow() error
	Follow(domid uint16, on bool) error
}

// Classes implements [memory.CachePartitioner].
type Classes struct {
	h       Hypervisor
	calls   Calls // or nil
	file    string
	layout  cache.Layout
	sockets []int
	kinds   []xenctl.Allocation // in the order in which they are set

	given  []memory.CacheShare // of the last Apply
	domain map[uint16]*record  // domains whose settings were changed
}

var _ memory.CachePartitioner = (*Classes)(nil)

// Open takes over h and closes it on an error too. In the file it records the
// settings that domains had before; the file must not survive a boot. calls is nil where
// classes cannot follow calls.
func Open(h Hypervisor, calls Calls, file string) (_ *Classes, err error) {
	c := &Classes{h: h, calls: calls, file: file}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	if c.layout, c.sockets, err = Layout(h); err != nil {
		return nil, err
	}
	c.kinds = kinds(c.layout)
	if c.domain, err = load(file); err != nil {
		return nil, err
	}
	for id, r := range c.domain {
		err := c.find(r)
		switch {
		case err == nil && !slices.EqualFunc(r.now, r.Was, alike): // the processor has other parts now
			err = c.follow(id, false)
			delete(c.domain, id)
		case errors.Is(err, host.ErrNoDomain):
			err = nil
			delete(c.domain, id)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// kinds are the settings that a domain has on each socket.
func kinds(l cache.Layout) (all []xenctl.Allocation) {
	switch {
	case l.L3 != nil && l.L3.CDP:
		all = append(all, xenctl.L3Code, xenctl.L3Data)
	case l.L3 != nil:
		all = append(all, xenctl.L3Mask)
	}
	if l.L2 != nil {
		all = append(all, xenctl.L2Mask)
	}
	if l.Bandwidth != nil {
		all = append(all, xenctl.Throttle)
	}
	return all
}

// Layout implements [memory.CachePartitioner].
func (c *Classes) Layout() cache.Layout { return c.layout }

// CanFollow implements [memory.CachePartitioner].
func (c *Classes) CanFollow() error {
	if c.calls == nil {
		return fmt.Errorf("%w: Xen has no module that knows calls", host.ErrNotHere)
	}
	return c.calls.CanFollow()
}

// follow sets whether a domain's class follows its calls.
func (c *Classes) follow(id uint16, on bool) error {
	if c.calls == nil {
		return nil
	}
	return c.calls.Follow(id, on)
}

// Close implements [memory.CachePartitioner].
func (c *Classes) Close() error { return errors.Join(c.move(nil), c.h.Close()) }

// Apply implements [memory.CachePartitioner].
func (c *Classes) Apply(_ context.Context, shares []memory.CacheShare) error {
	if err := c.move(shares); err != nil {
		return errors.Join(err, c.move(c.given))
	}
	c.given = slices.Clone(shares)
	return nil
}

// move gives domains these shares and all others their earlier settings. It stops
// at the first error.
func (c *Classes) move(shares []memory.CacheShare) error {
	want := make(map[uint16]memory.CacheShare, len(shares))
	for _, s := range shares {
		id, err := domains.Number(s.Domain)
		if err != nil {
			return err
		}
		want[id] = s
	}
	recorded := slices.Sorted(maps.Keys(c.domain))
	var leave []uint16
	for id, r := range c.domain {
		switch err := c.see(r); {
		case errors.Is(err, host.ErrNoDomain):
			delete(c.domain, id)
		case err != nil:
			return err
		default:
			if _, ok := want[id]; !ok {
				leave = append(leave, id)
			}
		}
	}
	if err := c.restore(leave); err != nil {
		return err
	}
	for _, id := range leave {
		delete(c.domain, id)
	}
	for id := range want {
		if c.domain[id] != nil {
			continue
		}
		r := &record{ID: id}
		err := c.find(r)
		if errors.Is(err, host.ErrNoDomain) {
			continue
		}
		if err != nil {
			return err
		}
		r.Was = slices.Clone(r.now)
		c.domain[id] = r
	}
	if len(c.domain) == 0 || !slices.Equal(recorded, slices.Sorted(maps.Keys(c.domain))) {
		if err := save(c.file, c.domain); err != nil {
			return err
		}
	}
	err := c.give(want)
	if errors.Is(err, xenctl.ErrNoClass) {
		// Domains whose settings change may occupy the classes that are missing.
		var others []uint16
		for id, s := range want {
			if r := c.domain[id]; r != nil && !slices.Equal(r.now, target(r.Was, s.Masks)) {
				others = append(others, id)
			}
		}
		if err := c.restore(others); err != nil {
			return err
		}
		err = c.give(want)
	}
	return err
}

// give sets the shares of domains, in the order of their numbers.
func (c *Classes) give(want map[uint16]memory.CacheShare) error {
	for _, id := range slices.Sorted(maps.Keys(want)) {
		r := c.domain[id]
		if r == nil {
			continue // the domain has gone
		}
		err := c.set(r, target(r.Was, want[id].Masks))
		if err == nil {
			err = c.follow(id, want[id].Follow)
		}
		switch {
		case errors.Is(err, xenctl.ErrNoDomain):
			delete(c.domain, id)
		case errors.Is(err, xenctl.ErrNoClass):
			return fmt.Errorf("class %q for domain %v: %w: other domains occupy them, for example by xl psr-cat-set, or there are too many classes", want[id].Class, want[id].Domain, err)
		case err != nil:
			return fmt.Errorf("class %q for domain %v: %w", want[id].Class, want[id].Domain, err)
		}
	}
	return nil
}

// restore gives domains their earlier settings. A domain that has gone is left out.
func (c *Classes) restore(ids []uint16) error {
	slices.Sort(ids)
	for {
		var errs []error
		var left []uint16
		for _, id := range ids {
			err := errors.Join(c.follow(id, false), c.set(c.domain[id], c.domain[id].Was))
			if err != nil && !errors.Is(err, xenctl.ErrNoDomain) {
				errs = append(errs, fmt.Errorf("give domain %d its earlier share back: %w", id, err))
				left = append(left, id)
			}
		}
		// One domain may free the class that another needs.
		if len(left) == 0 || len(left) == len(ids) {
			return errors.Join(errs...)
		}
		ids = left
	}
}

// see updates the CPU time of a domain; host.ErrNoDomain if its number is another
// domain's.
func (c *Classes) see(r *record) error {
	info, err := c.h.DomainInfo(r.ID)
	if errors.Is(err, xenctl.ErrNoDomain) || err == nil && domains.Another(info, r.Ran) {
		return fmt.Errorf("domain %d: %w", r.ID, host.ErrNoDomain)
	}
	if err == nil {
		r.Ran = max(r.Ran, info.CPUTime)
	}
	return err
}

// find reads the settings of a domain; host.ErrNoDomain if its number is another
// domain's.
func (c *Classes) find(r *record) error {
	if err := c.see(r); err != nil {
		return err
	}
	r.now = nil
	for _, socket := range c.sockets {
		for _, kind := range c.kinds {
			v, err := c.h.Allocation(r.ID, socket, kind)
			if errors.Is(err, xenctl.ErrNoDomain) {
				return fmt.Errorf("domain %d: %w", r.ID, host.ErrNoDomain)
			}
			if err != nil {
				return err
			}
			r.now = append(r.now, setting{socket, kind, v})
		}
	}
	return nil
}

// set changes the settings of a domain that differ, and has Xen load them. After an error
// r.now is what the domain has.
func (c *Classes) set(r *record, to []setting) error {
	if slices.Equal(r.now, to) {
		return nil
	}
	defer c.h.Reload(r.ID)
	for i, s := range to {
		if r.now[i] == s {
			continue
		}
		// Equal masks for code and data are set in one step, which needs no class
		// in between.
		n, kind := 1, s.Kind
		if kind == xenctl.L3Code && to[i+1].Value == s.Value {
			n, kind = 2, xenctl.L3Mask
		}
		if err := c.h.SetAllocation(r.ID, s.Socket, kind, s.Value); err != nil {
			return err
		}
		copy(r.now[i:], to[i:i+n])
	}
	return nil
}
