// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/xenctl/vlib"
)

// left is the time between two changes, running and off the CPU.
const left = 200 * time.Microsecond

// deschedules counts, from this CPU, until a spinning domain is off its own CPU:
// by its gate, and by Xen's own pause, which returns when it is.
func (b *machine) deschedules(ctx context.Context, domid uint16) (err error) {
	stop, err := spin(ctx, b.xen, domid)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	defer func() { err = errors.Join(err, b.module.SetDomain(domid, 0, vlib.Closed)) }()
	gate := func() error {
		if err := b.module.SetDomain(domid, vlib.Closed, 0); err != nil {
			return err
		}
		return b.awaitRunning(domid, false)
	}
	open := func() error { return b.module.SetDomain(domid, 0, vlib.Closed) }
	pause := func() error { return b.xen.Pause(domid) }
	unpause := func() error { return b.xen.Unpause(domid) }
	return errors.Join(
		b.deschedule(sampleGateCloses, domid, gate, open),
		b.deschedule(samplePause, domid, pause, unpause),
	)
}

func (b *machine) deschedule(name string, domid uint16, off, on func() error) error {
	for i := range singleCalls {
		if err := b.awaitRunning(domid, true); err != nil {
			return err
		}
		time.Sleep(left)
		begin := tsc()
		err := off()
		end := tsc()
		if err != nil {
			return err
		}
		if i >= warmUp {
			b.Samples[name] = append(b.Samples[name], float64(end-begin))
		}
		time.Sleep(left)
		if err := on(); err != nil {
			return err
		}
	}
	return nil
}

// awaitRunning polls until a domain's vCPU is on a CPU, or is not.
func (b *machine) awaitRunning(domid uint16, want bool) error {
	for end := time.Now().Add(time.Second); time.Now().Before(end); pause() {
		v, err := b.xen.VCPU(domid, 0)
		if err != nil || v.Running == want {
			return err
		}
	}
	return fmt.Errorf("domain %d: running is not %v within a second", domid, want)
}
