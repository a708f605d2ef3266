// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"context"
	"errors"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

const (
	other   = 1 // the domain of the batch program
	payment = 1 // the reservation that may pay for it
)

// settled is the CPU time after which the batch program has surely allocated
// its memory.
const settled = time.Second

// other starts what a bar has beside the task, and returns the function that
// ends it.
func (x *machine) other(ctx context.Context, bar string, percent int) (end func() error, err error) {
	if bar == alone && !x.Fits {
		return func() error { return nil }, nil
	}
	undo := func() error { return nil }
	later := func(f func() error) {
		before := undo
		undo = func() error { return errors.Join(f(), before()) }
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, undo())
		}
	}()
	options := vlibcall.Options{Wait: vlibcall.Block}
	if bar == apart {
		undone, err := x.divide()
		if err != nil {
			return nil, err
		}
		later(undone)
	}
	if bar == master || bar == masterControlled || bar == called {
		_, period := x.Periods()
		if err := x.module.Reserve(payment, share(period, percent), period); err != nil {
			return nil, err
		}
		later(func() error { return x.module.Unreserve(payment) })
	}
	switch bar {
	case master, masterControlled:
		if err := x.module.Adopt(other, payment); err != nil {
			return nil, err
		}
	case called:
		if err := x.module.SetDomain(other, vlib.Listens, 0); err != nil {
			return nil, err
		}
		later(func() error { return x.module.SetDomain(other, 0, vlib.Listens) })
		if err := x.module.Allow(other, payment); err != nil {
			return nil, err
		}
		options.Reservation = payment
	}
	program := []string{mjumpProgram, mjump.Batch}
	if bar == alone {
		program = []string{"sh", "-c", "while :; do :; done"}
	}
	stop, err := domu.Background(ctx, other, options, domu.CPUTime(x.xen, other), uint64(settled), program...)
	if err != nil {
		return nil, err
	}
	later(stop)
	return undo, nil
}

// divide gives the other a sixth of the cache, and the task the rest, until undo is
// called.
func (x *machine) divide() (undo func() error, err error) {
	info, err := x.xen.L3Info(0)
	if err != nil {
		return nil, err
	}
	all := uint64(1)<<info.Bits - 1
	small := uint64(1)<<max(info.Bits/6, 1) - 1
	set := func(task, batch uint64) error {
		err := errors.Join(x.xen.SetAllocation(0, 0, xenctl.L3Mask, task), x.xen.SetAllocation(other, 0, xenctl.L3Mask, batch))
		x.xen.Reload(0)
		x.xen.Reload(other)
		return err
	}
	undo = func() error { return set(all, all) }
	if err := set(all&^small, small); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}
