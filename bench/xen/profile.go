// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// profiled are the operations of a profile, in the order of its tables.
var profiled = []struct {
	phase         uint8
	sample, title string
}{
	{phaseVchan, sampleVchan, "a blocking round trip through libxenvchan"},
	{phaseBlock, sampleBlock, "a blocking call"},
	{phaseGated, sampleGated, "a blocking call that a reservation pays for, through the gate"},
	{phaseOpen, sampleOpen, "a channel opened and closed"},
	{phaseCall, sampleCallQueued, "CALL behind others"},
	{phaseListen, sampleListen, "LISTEN that begins the next call"},
}

// phases of the samples that [Samples.count] takes.
var phases = map[string]uint8{sampleBlock: phaseBlock, sampleGated: phaseGated}

// kernels has the symbols of a machine's kernels and of its hypervisor, as
// /proc/kallsyms and /proc/xen/xensyms show them.
type kernels struct{ Dom0, GuestModules, Xen string }

// profile is what [Dom0Profile] writes.
type profile struct {
	Samples Samples
	Symbols kernels
}

// Profile boots the lab with a hypervisor, one of [lab.Config]'s, and counts
// instructions by address while it makes the operations that are profiled. It
// writes a table for each. Without the module there are fewer.
func Profile(ctx context.Context, o Options, hypervisor string, out io.Writer) (err error) {
	images, err := o.images(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, images.remove()) }()
	counts, err := os.CreateTemp(images.dir, "counts-")
	if err != nil {
		return err
	}
	defer counts.Close()
	var p profile
	machine, err := o.bootFor(ctx, images, lab.Config{
		Args: []string{self, o.Dom0Arg}, Xen: hypervisor, DomUs: 2, Profile: counts,
	}, &p)
	if err != nil {
		return err
	}
	t, err := newTables(images, p.Symbols)
	if err != nil {
		return err
	}
	if err := t.read(counts); err != nil {
		return err
	}
	fmt.Fprintln(out, machine)
	for _, one := range profiled {
		t.write(out, one.phase, one.title, p.Samples[one.sample])
	}
	return nil
}

// Dom0Profile runs in Dom0. It makes the operations that are profiled and
// writes what they took, with the symbols of the machine.
func Dom0Profile(ctx context.Context, out io.Writer) (err error) {
	b := &machine{Samples: make(Samples)}
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // as the daemon does in Dom0
	if b.xen, err = xenctl.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.xen.Close()) }()
	b.module, err = vlib.Open(b.xen)
	hasModule := err == nil
	switch {
	case hasModule:
		err = b.gated(ctx, measured)
	case errors.Is(err, vlib.ErrAbsent):
		err = errors.Join(vchan(ctx, measured, b.Samples), b.countEcho(ctx, measured, sampleBlock, vlibcall.Options{Wait: vlibcall.Block}))
	}
	if err != nil {
		return err
	}
	d, err := xen.Open(ctx, measured)
	if err != nil {
		return err
	}
	if err := errors.Join(opens(ctx, d, b.Samples), d.Close()); err != nil {
		return err
	}
	if hasModule {
		if err := b.hypercalls(ctx, firstSpins); err != nil {
			return err
		}
	}
	mark(phaseLast)
	p := profile{Samples: b.Samples}
	if p.Symbols, err = readKernels(ctx); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(p)
}

func readKernels(ctx context.Context) (k kernels, err error) {
	for path, text := range map[string]*string{"/proc/kallsyms": &k.Dom0, "/proc/xen/xensyms": &k.Xen} {
		b, err := os.ReadFile(path)
		if err != nil {
			return k, err
		}
		*text = string(b)
	}
	g, err := domu.Open(ctx, measured, vlibcall.Options{})
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	b, err := g.Run(ctx, "/bin/sh", "-c", `grep '\[xen' /proc/kallsyms`)
	k.GuestModules = string(b)
	return k, err
}
