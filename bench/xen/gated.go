// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"time"

	"github.com/vlibos/vlibos/bench/guest"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// paying is the reservation of the caller.
const paying = 1

// gated counts calls to a domain that runs for them alone and that a
// reservation pays for; before, calls to the same domain that always runs; and
// the other way to talk to it before and after both.
func (b *host) gated(ctx context.Context, domid uint16) error {
	if err := vchan(ctx, domid, b.Samples); err != nil {
		return err
	}
	if err := b.countEcho(ctx, domid, sampleBlock, 0); err != nil {
		return err
	}
	if err := b.withPaid(domid, 8*time.Millisecond, 10*time.Millisecond, func() error {
		return b.countEcho(ctx, domid, sampleGated, paying)
	}); err != nil {
		return err
	}
	return vchan(ctx, domid, b.Samples)
}

func (b *host) countEcho(ctx context.Context, domid uint16, name string, reservation uint32) (err error) {
	g, err := guest.Open(ctx, domid, vlibcall.Options{Wait: vlibcall.Block, Reservation: transport.Reservation(reservation)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	return b.count(name, echo(g))
}

// withPaid makes a reservation and has the domain run for its calls alone,
// while f runs.
func (b *host) withPaid(domid uint16, budget, period time.Duration, f func() error) (err error) {
	if err := b.module.Reserve(paying, budget, period); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.module.Unreserve(paying)) }()
	if err := b.listens(domid); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.module.SetDomain(domid, 0, vlib.Listens)) }()
	if err := b.module.Allow(domid, paying); err != nil {
		return err
	}
	return f()
}

// listens makes a domain one that runs for calls alone.
func (b *host) listens(domid uint16) error { return b.module.SetDomain(domid, vlib.Listens, 0) }
