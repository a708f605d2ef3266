// SPDX-License-Identifier: Apache-2.0

package module

import (
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// gating are the flags of a domain that runs for calls alone.
const gating = vlib.Listens | vlib.Parks

// callee is a domain that reservations may be charged for.
type callee struct {
	users map[uint32]bool // the reservations
	told  bool            // its flags were set, by this host or an earlier master
}

// allow makes domains the callees of a reservation: from then on they run for
// calls alone. Its other callees are callees no longer.
func (p *Host) allow(r host.Reservation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := make(map[uint16]bool)
	for _, c := range r.Callees {
		domid, err := domains.Number(c.Domain)
		if err == nil {
			err = p.m.Allow(domid, r.ID)
		}
		if err == nil {
			err = p.gate(domid, c.Listens, r)
		}
		if err != nil {
			return fmt.Errorf("calls to domain %s: %w", c, refusal(err))
		}
		now[domid] = true
	}
	for domid, c := range p.callees {
		if !c.users[r.ID] || now[domid] {
			continue
		}
		if err := errors.Join(absent(p.m.Disallow(domid, r.ID)), p.leave(domid, r.ID)); err != nil {
			return err
		}
	}
	return nil
}

// gate sets a callee's flags. For threads, a domain keeps the flags that it has;
// otherwise the configuration decides.
func (p *Host) gate(domid uint16, listens bool, r host.Reservation) error {
	state, err := p.m.Domain(domid)
	if err != nil && !errors.Is(err, vlib.ErrUnknown) {
		return err
	}
	want, has := vlib.Parks, state.Flags&gating
	switch {
	case r.Threads != nil && has != 0:
		want = has
	case r.Threads != nil || listens:
		want = vlib.Listens
	}
	if has != want {
		if err := p.m.SetDomain(domid, want, gating&^want); err != nil {
			return err
		}
	}
	c := p.callees[domid]
	if c == nil {
		c = &callee{users: make(map[uint32]bool)}
		p.callees[domid] = c
	}
	c.users[r.ID] = true
	c.told = c.told || has == 0 || r.Threads == nil || r.Resume
	return nil
}

// dismiss removes a reservation from its callees. Callees of a configured
// reservation that this process has not made callees are an earlier master's.
func (p *Host) dismiss(r host.Reservation) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range r.Callees {
		if domid, err := domains.Number(d.Domain); r.Threads == nil && err == nil && p.callees[domid] == nil {
			p.callees[domid] = &callee{users: map[uint32]bool{r.ID: true}, told: true}
		}
	}
	var errs []error
	for domid, c := range p.callees {
		if c.users[r.ID] {
			errs = append(errs, p.leave(domid, r.ID))
		}
	}
	return errors.Join(errs...)
}

// leave frees a domain with the last reservation that may be charged for it.
func (p *Host) leave(domid uint16, id uint32) error {
	c := p.callees[domid]
	if len(c.users) == 1 && c.told {
		if err := absent(p.m.SetDomain(domid, 0, gating)); err != nil {
			return err
		}
	}
	if delete(c.users, id); len(c.users) == 0 {
		delete(p.callees, domid)
	}
	return nil
}

// CanFollow returns why no class follows a call; nil: one does. The module has the hook
// for it only where Xen was booted with it, and not as a live patch.
func (p *Host) CanFollow() error {
	if !p.info.Host {
		return fmt.Errorf("%w: boot Xen with sched=vlib", host.ErrNotHere)
	}
	return nil
}

// Follow sets whether a domain has the cache class of its caller while it serves a call. A
// domain that is gone, or under another scheduler, serves none.
func (p *Host) Follow(domid uint16, on bool) error {
	state, err := p.m.Domain(domid)
	if errors.Is(err, vlib.ErrUnknown) {
		state, err = vlib.Domain{}, nil
	}
	if has := state.Flags&vlib.Follows != 0; err != nil || has == on {
		return absent(err)
	}
	set, clear := vlib.Follows, vlib.DomainFlags(0)
	if !on {
		set, clear = clear, set
	}
	if err = p.m.SetDomain(domid, set, clear); errors.Is(err, vlib.ErrOtherScheduler) {
		return nil
	}
	return absent(err)
}

// absent drops the error of a domain that is gone.
func absent(err error) error {
	if errors.Is(err, vlib.ErrNoDomain) || errors.Is(err, vlib.ErrDying) {
		return nil
	}
	return err
}
