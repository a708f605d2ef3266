// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"time"
)

// guestCPU is the CPU of the DomUs in counted mode; Dom0 has the other.
const guestCPU = 1

// sharePeriods are the measured periods. The first is that of the record.
var sharePeriods = []time.Duration{10 * time.Millisecond, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond}

const shareWindow = 2 * time.Second

// shares measures the foreground time of a spinning domain with a fifth of a CPU,
// beside another that spins. It also measures by how much it ran past its
// budget at most, for several budgets. Dom0 sleeps meanwhile: the counted machine
// runs one CPU at a time, and a budget's timer waits while Dom0's CPU has its turn.
func (b *machine) shares(ctx context.Context, domid, neighbour uint16) (err error) {
	for _, d := range []uint16{domid, neighbour} {
		stop, err := spin(ctx, b.xen, d)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	for _, period := range sharePeriods {
		if err := b.share(domid, period); err != nil {
			return err
		}
	}
	return nil
}

// share appends the samples with a fifth of a period.
func (b *machine) share(domid uint16, period time.Duration) (err error) {
	if err := b.module.Reserve(paying, period/5, period); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.module.Unreserve(paying)) }()
	if err := b.module.Adopt(domid, paying); err != nil {
		return err
	}
	time.Sleep(2 * period)
	before, _, err := b.used(domid)
	if err != nil {
		return err
	}
	if _, err := b.module.CPU(guestCPU); err != nil { // ends the overrun so far
		return err
	}
	begin := tsc()
	time.Sleep(shareWindow)
	after, _, err := b.used(domid)
	if err != nil {
		return err
	}
	elapsed := float64(tsc() - begin)
	b.Samples[sampleShare] = append(b.Samples[sampleShare], 100*float64(after.Total.Foreground-before.Total.Foreground)/elapsed)
	cpu, err := b.module.CPU(guestCPU)
	if err != nil {
		return err
	}
	b.Samples[sampleOvershoot] = append(b.Samples[sampleOvershoot], float64(cpu.Overrun)/float64(time.Microsecond))
	return nil
}
