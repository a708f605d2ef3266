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

// The operations of the module that are counted, in instructions of the machine.
const (
	sampleBoot          = "boot"              // power-on to Dom0's init
	sampleGated         = "gated"             // a blocking call, paid for and gated
	sampleBlockCPU      = "block_cpu"         // the same, the caller's vCPU waits
	sampleDom0Xen       = "dom0_xen_version"  // made as CALL and LISTEN are,
	sampleGuestXen      = "guest_xen_version" // in Dom0 and in the guest
	sampleCall          = "call"              // CALL that opens a gate
	sampleCallQueued    = "call_queued"       // CALL behind others
	sampleCallRefused   = "call_refused"      // CALL on a reservation that is not allowed
	sampleListen        = "listen_next"       // LISTEN that ends a call, begins the next
	sampleListenOpen    = "listen_open"       // LISTEN with a hold on its gate
	sampleGateCloses    = "gate_closes"       // until a spinning domain is off another CPU
	samplePause         = "pause"             // the same by Xen's own pause
	sampleCharged       = "charged"           // charged for calls
	sampleRan           = "ran"               // time by Xen's accounting
	sampleShare         = "share"             // foreground in per cent, for each period
	sampleOvershoot     = "overshoot"         // in µs, for each period
	sampleWakeup        = "wakeup_"           // lateness in ns, by quantile
	sampleEvaderRan     = "evader_ran"        // of a callee that sleeps before
	sampleEvaderCharged = "evader_charged"    // its budget ends
)

// machine is the machine as Dom0 sees it, with what was measured.
type machine struct {
	Samples
	xen    *xenctl.Handle
	module *vlib.Module // nil without the module, or under another scheduler
	size   ServiceSize  // of the service's experiment alone
}

// background ends the name of the part of a charge that was without budget.
const background = "_background"

// Dom0Module runs in Dom0 under a scheduler. It measures what applies to that
// scheduler, or only its wake-ups, and writes the Samples as one JSON object.
func Dom0Module(ctx context.Context, scheduler string, onlyWakeups bool, out io.Writer) (err error) {
	b := &machine{Samples: make(Samples)}
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // as the daemon does in Dom0
	if b.xen, err = xenctl.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.xen.Close()) }()
	if scheduler == schedVlib {
		if b.module, err = vlib.Open(b.xen); err != nil {
			return err
		}
	}
	if !onlyWakeups {
		if err := b.allButWakeups(ctx); err != nil {
			return err
		}
	}
	if err := b.wakeup(ctx, scheduler); err != nil {
		return fmt.Errorf("wake-up under %s: %w", scheduler, err)
	}
	if !onlyWakeups {
		// TCP is last, because it gives the domain a device.
		if err := tcp(ctx, measured, b.Samples); err != nil {
			return err
		}
	}
	return json.NewEncoder(out).Encode(b.Samples)
}

// allButWakeups measures the boot and what only the module has.
func (b *machine) allButWakeups(ctx context.Context) error {
	if err := boot(b.Samples); err != nil {
		return err
	}
	if b.module == nil {
		return nil
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
