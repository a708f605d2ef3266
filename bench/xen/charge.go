// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

const (
	chargedCalls = 1000
	// settles is how long a callee may still run after its answer, until it
	// blocks.
	settles = 5 * time.Millisecond
)

// The callee that tries to pay too little sleeps shortly before its budget ends,
// in each period.
const (
	evasiveBudget  = 2 * time.Millisecond
	evasivePeriod  = 10 * time.Millisecond
	evasiveBurn    = "1700000" // the kernel and Xen add about 260,000
	evasivePeriods = 300
)

// charge compares what the module charges for calls with the callee's time by
// Xen's own accounting.
func (b *machine) charge(ctx context.Context, domid, neighbour uint16) error {
	if err := b.withPaid(domid, 8*time.Millisecond, 10*time.Millisecond, func() error {
		return b.charged(ctx, domid, sampleCharged, sampleRan, func(g *domu.Server) error {
			call := echo(g)
			for range chargedCalls {
				if err := call(); err != nil {
					return err
				}
			}
			return nil
		})
	}); err != nil {
		return err
	}
	stop, err := spin(ctx, b.xen, neighbour)
	if err != nil {
		return err
	}
	err = b.withPaid(domid, evasiveBudget, evasivePeriod, func() error {
		return b.charged(ctx, domid, sampleEvaderCharged, sampleEvaderRan, func(g *domu.Server) error {
			_, err := g.Run(ctx, taskProgram, "periodic", fmt.Sprint(evasivePeriods), fmt.Sprint(int64(evasivePeriod)), evasiveBurn)
			return err
		})
	})
	return errors.Join(err, stop())
}

// charged records what a reservation is charged while f runs, and Xen's account.
func (b *machine) charged(ctx context.Context, domid uint16, charged, ran string, f func(*domu.Server) error) (err error) {
	g, err := domu.Open(ctx, domid, vlibcall.Options{Wait: vlibcall.Block, Reservation: paying})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	if err := echo(g)(); err != nil {
		return err
	}
	time.Sleep(settles)
	before, from, err := b.used(domid)
	if err != nil {
		return err
	}
	if err := f(g); err != nil {
		return err
	}
	time.Sleep(settles)
	after, until, err := b.used(domid)
	if err != nil {
		return err
	}
	b.Samples[charged] = []float64{float64(total(after) - total(before))}
	b.Samples[charged+background] = []float64{float64(after.Total.Background - before.Total.Background)}
	b.Samples[ran] = []float64{float64(until - from)}
	return nil
}

// used returns the paying reservation, and the time that a domain has run.
func (b *machine) used(domid uint16) (vlib.Reservation, time.Duration, error) {
	r, err := b.module.Reservation(paying)
	if err != nil {
		return r, 0, err
	}
	ran, err := cpuTime(b.xen, domid)
	return r, ran, err
}

func total(r vlib.Reservation) time.Duration { return r.Total.Foreground + r.Total.Background }
