// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// gating are the flags of a domain that runs for calls alone.
const gating = vlib.Listens | vlib.Parks

// Pay implements host.Paying.
func (p *Host) Pay(_ context.Context, d host.Domain, r rtsched.Task, listens bool) error {
	domid, err := domains.Number(d)
	if err != nil {
		return err
	}
	return p.reserve(r, func() error {
		if err := p.m.Allow(domid, r.ID); err != nil {
			return err
		}
		return p.gate(domid, listens)
	})
}

// gate has a domain run for calls alone. What it is told already is not told
// again.
func (p *Host) gate(domid uint16, listens bool) error {
	want := vlib.Parks
	if listens {
		want = vlib.Listens
	}
	switch state, err := p.m.Domain(domid); {
	case err != nil && !errors.Is(err, vlib.ErrUnknown):
		return err
	case state.Flags&gating == want:
		return nil
	}
	return p.m.SetDomain(domid, want, gating&^want)
}

// Clear implements host.Paying.
func (p *Host) Clear(_ context.Context, id uint32) error {
	if err := p.m.FinishAll(id); !errors.Is(err, vlib.ErrNoCall) {
		return err
	}
	return nil
}

// Unpay implements host.Paying.
func (p *Host) Unpay(ctx context.Context, d host.Domain, id uint32, last bool) error {
	if err := p.Release(ctx, d, id); err != nil || !last || d.ID == "" {
		return err
	}
	domid, err := domains.Number(d)
	if err != nil {
		return err
	}
	if err := p.m.SetDomain(domid, 0, gating); !errors.Is(err, vlib.ErrNoDomain) && !errors.Is(err, vlib.ErrDying) {
		return err
	}
	return nil
}

// Paid implements host.Paying.
func (p *Host) Paid(_ context.Context, id uint32) (host.Usage, error) {
	r, err := p.reservation(id)
	return usage(r), err
}

// PaysAdopted implements host.Paying: each call says whose it is.
func (p *Host) PaysAdopted() bool { return true }

// Stuck implements host.Watching. A call that is active is somebody's; the
// gate of a domain that parks is open without one only for a call that was
// given up, if nobody holds it.
func (p *Host) Stuck(_ context.Context, d host.Domain) (bool, error) {
	domid, err := domains.Number(d)
	if err != nil {
		return false, err
	}
	state, err := p.m.Domain(domid)
	switch {
	case errors.Is(err, vlib.ErrUnknown), errors.Is(err, vlib.ErrNoDomain), errors.Is(err, vlib.ErrDying):
		return false, nil
	case err != nil:
		return false, err
	case state.Flags&gating == 0 || state.Holds > 0:
		return false, nil
	}
	waited := state.Queued > 0 || state.Flags&vlib.Parks != 0 && state.Open
	return waited && !state.Active, nil
}

var (
	_ host.Paying   = (*Host)(nil)
	_ host.Watching = (*Host)(nil)
)
