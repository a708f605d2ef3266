// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// What is counted of the module, in the machine's instructions.
const (
	sampleBoot          = "boot"              // power-on to Dom0's init
	sampleGated         = "gated"             // a call that blocks, paid and gated
	sampleDom0Xen       = "dom0_xen_version"  // as CALL and LISTEN are made,
	sampleGuestXen      = "guest_xen_version" // in Dom0 and in the guest
	sampleCall          = "call"              // CALL that opens a gate
	sampleCallQueued    = "call_queued"       // CALL behind others
	sampleCallRefused   = "call_refused"      // CALL on a reservation that may not
	sampleListen        = "listen_next"       // LISTEN that ends a call, begins the next
	sampleListenOpen    = "listen_open"       // LISTEN whose gate is held open
	sampleGateCloses    = "gate_closes"       // until a domain that spins elsewhere is off
	samplePause         = "pause"             // the same, Xen's own way
	sampleCharged       = "charged"           // of calls
	sampleRan           = "ran"               // by Xen's accounting
	sampleShare         = "share"             // per cent, a period each
	sampleOvershoot     = "overshoot"         // µs, likewise
	sampleWakeup        = "wakeup_"           // ns late, by the task's quantiles
	sampleEvaderRan     = "evader_ran"        // of a callee that sleeps before
	sampleEvaderCharged = "evader_charged"    // its budget ends
)

// host is Dom0's view of the machine, and what was measured of it.
type host struct {
	Samples
	xen    *xenctl.Handle
	module *vlib.Module // nil where the hypervisor has none, or another scheduler
}

// background is the name's end of what of a charge was without budget.
const background = "_background"

// Dom0Module runs in Dom0 under a scheduler, measures what there is of the
// module, and writes the Samples as one JSON object.
func Dom0Module(ctx context.Context, scheduler string, out io.Writer) (err error) {
	b := &host{Samples: make(Samples)}
	if err := boot(b.Samples); err != nil {
		return err
	}
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // as in Dom0
	if b.xen, err = xenctl.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.xen.Close()) }()
	if scheduler == schedVlib {
		if err := b.ofModule(ctx); err != nil {
			return err
		}
	}
	if err := b.wakeup(ctx, scheduler); err != nil {
		return fmt.Errorf("wake-up under %s: %w", scheduler, err)
	}
	if scheduler == schedVlib {
		if err := b.overshoot(); err != nil {
			return err
		}
	}
	// At last, for it gives the domain a device.
	if err := tcp(ctx, measured, b.Samples); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(b.Samples)
}

// ofModule measures what no other scheduler has.
func (b *host) ofModule(ctx context.Context) (err error) {
	if b.module, err = vlib.Open(b.xen); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"gated calls", func() error { return b.gated(ctx, measured) }},
		{"hypercalls", func() error { return b.hypercalls(ctx, secondSpins) }},
		{"descheduling", func() error { return b.deschedules(ctx, firstSpins) }},
		{"charging", func() error { return b.charge(ctx, measured, firstSpins) }},
		{"shares", func() error { return b.shares(ctx, measured, firstSpins) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}
