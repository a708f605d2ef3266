// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/vlibos/vlibos/bench/tail"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// Dom0Service runs in Dom0 under a scheduler, and writes the Samples as one JSON
// object.
func Dom0Service(ctx context.Context, scheduler string, size ServiceSize, out io.Writer) (err error) {
	b := &machine{Samples: make(Samples), size: size}
	if b.xen, err = xenctl.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.xen.Close()) }()
	if scheduler == schedVlib {
		if b.module, err = vlib.Open(b.xen); err != nil {
			return err
		}
	}
	if err := connectNetwork(ctx, measured); err != nil {
		return err
	}
	stop, g, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	defer g.Close()
	n := b.size.VCPUs
	if n == 1 {
		err = b.served(g, alone)
	} else {
		err = apart(ctx, n)
	}
	if err != nil {
		return err
	}
	for _, domid := range others {
		stop, err := run(ctx, b.xen, domid, spinSettles, taskProgram, "pause", fmt.Sprint(n))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if n > 1 {
		if err := errors.Join(b.served(g, alone), pinOthers(ctx, 1, n)); err != nil {
			return err
		}
	}
	for _, s := range serviceSettings[scheduler] {
		if err := s.apply(ctx, b); err != nil {
			return err
		}
		if err := b.served(g, s.name); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return json.NewEncoder(out).Encode(b.Samples)
}

// others are the domains that spin.
var others = [...]uint16{firstSpins, secondSpins}

// apart gives each of the service's vCPUs a CPU, and the others as many of their own. A
// counted machine runs one CPU at a time, so each that works delays all: for the
// comparison the others spin also while the service has its CPUs alone.
func apart(ctx context.Context, n int) error {
	for i := range n {
		if err := pin(ctx, measured, fmt.Sprint(i), fmt.Sprint(1+i)); err != nil {
			return err
		}
	}
	return pinOthers(ctx, n+1, 2*n)
}

func pinOthers(ctx context.Context, first, last int) (err error) {
	for _, domid := range others {
		err = errors.Join(err, pin(ctx, domid, "all", fmt.Sprintf("%d-%d", first, last)))
	}
	return err
}

// pin restricts a domain's vCPU, or all of them, to CPUs.
func pin(ctx context.Context, domid uint16, vcpu, cpus string) error {
	if out, err := exec.CommandContext(ctx, "xl", "vcpu-pin", fmt.Sprint(domid), vcpu, cpus).CombinedOutput(); err != nil {
		return fmt.Errorf("pin vCPU %s of domain %d to CPUs %s: %w: %s", vcpu, domid, cpus, err, out)
	}
	return nil
}

// serve starts memcached in its domain, and connects to it when it listens.
func (b *machine) serve(ctx context.Context) (stop func() error, _ *tail.Generator, err error) {
	stop, err = run(ctx, b.xen, measured, time.Millisecond, "sh", "-c", runMemcached+fmt.Sprint(b.size.VCPUs))
	if err != nil {
		return nil, nil, err
	}
	at := netip.AddrPortFrom(netip.MustParseAddr(domuAddress), memcachedPort)
	var g *tail.Generator
	for range 100 {
		if g, err = tail.Open(at, serviceData); err == nil {
			return stop, g, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, nil, errors.Join(err, stop())
}

// servedFigures are the samples of a setting.
var servedFigures = []string{"p50_us", "p99_us", "p999_us", "max_us", "requests", "unanswered", "neighbours_cpu_percent"}

const (
	sampleServed = "served_"
	// per cent of the time that the service's domain has run
	sampleServedBeyond = "served_beyond_budget"
)

// served measures the service for a while.
func (b *machine) served(g *tail.Generator, name string) error {
	before, from, err := b.around(name)
	if err != nil {
		return err
	}
	begin := time.Now()
	r, err := g.Run(b.size.order())
	if err != nil {
		return err
	}
	took := time.Since(begin)
	after, until, err := b.around(name)
	if err != nil {
		return err
	}
	if name == reserved {
		beyond := after.Total.Background - before.Total.Background
		b.Samples[sampleServedBeyond] = []float64{100 * float64(beyond) / float64(total(after)-total(before))}
	}
	h := hdrhistogram.Import(r.Latencies)
	us := func(percentile float64) float64 { return float64(h.ValueAtPercentile(percentile)) / 1000 }
	b.Samples[sampleServed+name] = []float64{
		us(50), us(99), us(99.9), us(100), float64(h.TotalCount()), float64(r.Unanswered), 100 * float64(until-from) / float64(took) / float64(b.size.VCPUs),
	}
	return nil
}

// around returns the service's reservation, in the setting that has one, and the
// time that its neighbours have run.
func (b *machine) around(name string) (r vlib.Reservation, neighbours time.Duration, err error) {
	if name == reserved {
		if r, err = b.module.Reservation(paying); err != nil {
			return r, 0, err
		}
	}
	for _, domid := range others {
		t, err := cpuTime(b.xen, domid)
		if err != nil {
			return r, 0, err
		}
		neighbours += t
	}
	return r, neighbours, nil
}
