// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// paying is the caller's reservation.
const paying = 1

// gated counts calls to a domain that runs only for calls, which a reservation
// pays for. Before, it counts calls to the same domain while it always runs. It
// counts libxenvchan before and after both.
func (b *machine) gated(ctx context.Context, domid uint16) error {
	if err := vchan(ctx, domid, b.Samples); err != nil {
		return err
	}
	if err := b.countEcho(ctx, domid, sampleBlock, vlibcall.Options{Wait: vlibcall.Block}); err != nil {
		return err
	}
	if err := b.withPaid(domid, 8*time.Millisecond, 10*time.Millisecond, func() error {
		return errors.Join(
			b.countEcho(ctx, domid, sampleGated, vlibcall.Options{Wait: vlibcall.Block, Reservation: paying}),
			b.countEcho(ctx, domid, sampleBlockCPU, vlibcall.Options{Wait: vlibcall.BlockCPU, Reservation: paying}))
	}); err != nil {
		return err
	}
	return vchan(ctx, domid, b.Samples)
}

func (b *machine) countEcho(ctx context.Context, domid uint16, name string, o vlibcall.Options) (err error) {
	g, err := domu.Open(ctx, domid, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	return b.count(name, echo(g))
}

// withPaid makes a reservation and lets the domain run only for calls while f
// runs.
func (b *machine) withPaid(domid uint16, budget, period time.Duration, f func() error) (err error) {
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

// listens lets a domain run only for calls.
func (b *machine) listens(domid uint16) error { return b.module.SetDomain(domid, vlib.Listens, 0) }
