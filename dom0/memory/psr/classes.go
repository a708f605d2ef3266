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

// Hypervisor is what sharing needs of a *xenctl.Handle.
type Hypervisor interface {
	Processor
	DomainInfo(domid uint16) (xenctl.DomainInfo, error)
	Allocation(domid uint16, socket int, a xenctl.Allocation) (uint64, error)
	SetAllocation(domid uint16, socket int, a xenctl.Allocation, v uint64) error
	io.Closer
}

// Classes implements [memory.CachePartitioner].
type Classes struct {
	h       Hypervisor
	file    string
	layout  cache.Layout
	sockets []int

	given  []memory.CacheShare // of the last Apply
	domain map[uint16]*record  // whose values were changed
}

var _ memory.CachePartitioner = (*Classes)(nil)

// Open takes h, which it closes also if it fails. The file is where it writes
// what domains had before; it must be gone after a boot.
func Open(h Hypervisor, file string) (_ *Classes, err error) {
	c := &Classes{h: h, file: file}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	if c.layout, c.sockets, err = Layout(h); err != nil {
		return nil, err
	}
	if c.domain, err = load(file); err != nil {
		return nil, err
	}
	for id, r := range c.domain {
		err := c.find(id, r)
		switch {
		case errors.Is(err, host.ErrNoDomain) || err == nil && !r.now.sameKinds(r.Was):
			delete(c.domain, id) // it has gone, or the file is of another boot
		case err != nil:
			return nil, err
		}
	}
	return c, nil
}

// Layout implements [memory.CachePartitioner].
func (c *Classes) Layout() cache.Layout { return c.layout }

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

// move makes it so, or stops where that fails.
func (c *Classes) move(shares []memory.CacheShare) error {
	want := make(map[uint16]memory.CacheShare, len(shares))
	for _, s := range shares {
		id, err := domains.Number(s.Domain)
		if err != nil {
			return err
		}
		want[id] = s
	}
	saved := slices.Sorted(maps.Keys(c.domain))
	var leave []uint16
	for id, r := range c.domain {
		err := c.see(id, r)
		if errors.Is(err, host.ErrNoDomain) {
			delete(c.domain, id)
			continue
		}
		if err != nil {
			return err
		}
		if _, ok := want[id]; !ok {
			leave = append(leave, id)
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
		r := new(record)
		switch err := c.find(id, r); {
		case errors.Is(err, host.ErrNoDomain):
			delete(want, id)
			continue
		case err != nil:
			return err
		}
		r.Was = r.now.clone()
		c.domain[id] = r
	}
	if len(c.domain) == 0 || !slices.Equal(saved, slices.Sorted(maps.Keys(c.domain))) {
		if err := save(c.file, c.domain); err != nil {
			return err
		}
	}
	err := c.give(want)
	if errors.Is(err, xenctl.ErrNoClass) {
		// Those who are to get other values may hold the classes that are missing.
		var others []uint16
		for id, s := range want {
			if r := c.domain[id]; r != nil && !r.now.equal(c.target(r.Was, s.Masks)) {
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

// give sets what domains are to have, in the order of their numbers.
func (c *Classes) give(want map[uint16]memory.CacheShare) error {
	for _, id := range slices.Sorted(maps.Keys(want)) {
		r := c.domain[id]
		if r == nil {
			continue // it has gone
		}
		err := c.set(id, r, c.target(r.Was, want[id].Masks))
		switch {
		case errors.Is(err, xenctl.ErrNoDomain):
			delete(c.domain, id)
		case errors.Is(err, xenctl.ErrNoClass):
			return fmt.Errorf("class %q for domain %v: %w: others hold them, for example by xl psr-cat-set, or there are too many classes", want[id].Class, want[id].Domain, err)
		case err != nil:
			return fmt.Errorf("class %q for domain %v: %w", want[id].Class, want[id].Domain, err)
		}
	}
	return nil
}

// restore gives domains what they had before; one that is gone needs nothing.
func (c *Classes) restore(ids []uint16) error {
	slices.Sort(ids)
	for {
		var errs []error
		var left []uint16
		for _, id := range ids {
			if err := c.set(id, c.domain[id], c.domain[id].Was); err != nil && !errors.Is(err, xenctl.ErrNoDomain) {
				errs = append(errs, fmt.Errorf("give domain %d its earlier share back: %w", id, err))
				left = append(left, id)
			}
		}
		// What one gives up may be the class that another needs.
		if len(left) == 0 || len(left) == len(ids) {
			return errors.Join(errs...)
		}
		ids = left
	}
}

// see notes that a domain is there; ErrNoDomain if its number is another's.
func (c *Classes) see(id uint16, r *record) error {
	info, err := c.h.DomainInfo(id)
	if errors.Is(err, xenctl.ErrNoDomain) || err == nil && domains.Another(info, r.Ran) {
		return fmt.Errorf("domain %d: %w", id, host.ErrNoDomain)
	}
	if err == nil {
		r.Ran = max(r.Ran, info.CPUTime)
	}
	return err
}

// find reads what a domain has now; ErrNoDomain if its number is another's.
func (c *Classes) find(id uint16, r *record) error {
	if err := c.see(id, r); err != nil {
		return err
	}
	r.now = make(values)
	for _, socket := range c.sockets {
		for _, a := range c.kinds() {
			v, err := c.h.Allocation(id, socket, a)
			if errors.Is(err, xenctl.ErrNoDomain) {
				return fmt.Errorf("domain %d: %w", id, host.ErrNoDomain)
			}
			if err != nil {
				return err
			}
			r.now[place{socket, a}] = v
		}
	}
	return nil
}
