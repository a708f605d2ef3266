// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/probe"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// Options are those of Run.
type Options struct {
	VictimCPU, BatchCPU int
	VictimMiB, BatchMiB int
	Pause               time.Duration // of the victim, which then works for as long
	Period              time.Duration // of decisions
	Repeats             int
	Slot                time.Duration // of one measurement
	Load, Guard         []string      // commands of a load's process and of the host's guard
	Parent              string        // cgroup
	Log                 io.Writer
}

// settle is how long a setting takes to find its level.
const settle = 400 * time.Millisecond

// experiment is a running experiment.
type experiment struct {
	o             Options
	host          *native.Host
	domain        host.Domain
	victim, batch *process
	probe         *probe.Probe
}

// Figures are those of one measurement of a setting.
type Figures struct {
	Median, P99 float64 // of the victim's requests, in ns
	Work        float64 // lines that the domain wrote, per second
}

// Run measures all settings. With an error it returns the rounds that were complete, if
// there are any.
func Run(ctx context.Context, o Options) (r *Result, err error) {
	dir, err := os.MkdirTemp("", "vlibbench-policies-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e := &experiment{o: o, domain: host.Domain{ID: "batch", UUID: "batch", Name: "batch", CPUs: []int{o.BatchCPU}}}
	if e.host, err = native.Open(native.Options{Parent: o.Parent, Version: 2, Guard: o.Guard}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.host.Close()) }()
	if err := e.host.Renew(time.Minute); err != nil {
		return nil, err
	}
	if e.probe, err = probe.Open(probe.Options{CPU: o.VictimCPU, Throttled: []int{o.BatchCPU}}); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.probe.Close()) }()
	if e.victim, err = launch(o.Load, Victim, o.VictimCPU, o.VictimMiB, o.Pause, dir, func(int) error { return nil }); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.victim.stop()) }()
	if e.batch, err = launch(o.Load, Batch, o.BatchCPU, o.BatchMiB, 0, dir, e.place); err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, e.host.Remove(context.WithoutCancel(ctx), e.domain.ID), e.batch.stop())
	}()
	r, err = e.compare(ctx)
	if r != nil {
		r.ProbeCost = e.probe.Cost()
	}
	return r, err
}

// place makes the batch process a domain that uses background time.
func (e *experiment) place(pid int) error {
	ctx := context.Background()
	if err := e.host.Create(e.domain.ID, pid); err != nil {
		return err
	}
	if err := e.host.Pin(ctx, e.domain.ID, e.domain.CPUs); err != nil {
		return err
	}
	return e.host.Reserve(ctx, e.domain.On(rtsched.Task{ID: 1, Budget: time.Millisecond, Period: 100 * time.Millisecond}))
}

// compare finds the levels and measures all settings forwards and backwards, so
// that a change of the machine affects all of them.
func (e *experiment) compare(ctx context.Context) (*Result, error) {
	l, err := e.levels(ctx)
	if err != nil {
		return nil, err
	}
	r := &Result{Options: e.o, levels: l, settings: l.settings()}
	fmt.Fprintf(e.o.Log, "probe: %.1f ns alone, %.1f ns beside the domain; the victim's request: %.1f µs and %.1f µs; the domain writes %.1f million lines a second\n",
		l.probeAlone, l.probeLoaded, l.victimAlone/1e3, l.victimLoaded/1e3, l.lines/1e6)
	for i := range e.o.Repeats {
		round := make([]Figures, len(r.settings))
		for n := range 2 * len(r.settings) {
			at := n
			if n >= len(r.settings) {
				at = 2*len(r.settings) - 1 - n
			}
			f, err := e.measure(ctx, r.settings[at])
			if err != nil && len(r.rounds) == 0 {
				return nil, err
			} else if err != nil {
				return r, err
			}
			round[at].Median += f.Median / 2
			round[at].P99 += f.P99 / 2
			round[at].Work += f.Work / 2
		}
		r.rounds = append(r.rounds, round)
		fmt.Fprintf(e.o.Log, "round %d of %d: median alone %.1f µs, without control %.1f µs\n", i+1, e.o.Repeats, round[0].Median/1e3, round[1].Median/1e3)
	}
	return r, nil
}

// levels measures the two bounds, several times each.
func (e *experiment) levels(ctx context.Context) (l levels, err error) {
	const times = 3
	for range times {
		for _, s := range []setting{{alone: true}, {}} {
			var m throttle.Meter
			if _, err := m.Take(e.probe); err != nil {
				return l, err
			}
			f, err := e.measure(ctx, s)
			if err != nil {
				return l, err
			}
			p, err := m.Take(e.probe)
			if err != nil {
				return l, err
			}
			if s.alone {
				l.probeAlone += p.Latency / times
				l.victimAlone += f.Median / times
			} else {
				l.probeLoaded += p.Latency / times
				l.victimLoaded += f.Median / times
				l.lines += f.Work / times
			}
		}
	}
	return l, nil
}

// measure lets a setting settle and then measures for a slot.
func (e *experiment) measure(ctx context.Context, s setting) (f Figures, err error) {
	if err := e.host.Renew(time.Minute); err != nil {
		return f, err
	}
	if err := e.host.Gate(ctx, e.domain, s.alone); err != nil {
		return f, err
	}
	if s.policy != "" {
		stop, err := e.control(ctx, s)
		if err != nil {
			return f, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if err := clock.Sleep(ctx, settle); err != nil {
		return f, err
	}
	v, b, err := e.readings()
	if err != nil {
		return f, err
	}
	begin := time.Now()
	if err := clock.Sleep(ctx, e.o.Slot); err != nil {
		return f, err
	}
	took := time.Since(begin)
	v2, b2, err := e.readings()
	if err != nil {
		return f, err
	}
	f.Median, _ = v2.Quantile(&v, 0.5)
	f.P99, _ = v2.Quantile(&v, 0.99)
	f.Work = float64(b2.Requests-b.Requests) / took.Seconds()
	return f, nil
}

// control runs the throttle's loop until stop is called.
func (e *experiment) control(ctx context.Context, s setting) (stop func() error, err error) {
	policy, err := throttle.New(s.policy, s.at)
	if err != nil {
		return nil, err
	}
	source := throttle.Source(unclosed{e.probe})
	if s.felt {
		if source, err = requestlatency.Open(e.victim.file, 0, []int{e.o.BatchCPU}); err != nil {
			return nil, err
		}
	}
	domain, err := requestlatency.Open(e.batch.file, 0, nil)
	if err != nil {
		return nil, err
	}
	loop := throttling.New(throttling.Options{
		Period: e.o.Period, Source: &counted{Source: source, domain: domain}, Policy: policy, Host: e.host,
		Log: slog.New(slog.NewTextHandler(e.o.Log, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	return func() error {
		cancel()
		return errors.Join(<-done, domain.Close())
	}, nil
}

// unclosed is the probe, which all settings share.
type unclosed struct{ *probe.Probe }

func (unclosed) Close() error { return nil }

func (e *experiment) readings() (v, b requestlatency.Reading, err error) {
	for file, to := range map[string]*requestlatency.Reading{e.victim.file: &v, e.batch.file: &b} {
		s, err := requestlatency.Open(file, 0, nil)
		if err != nil {
			return v, b, err
		}
		if err := errors.Join(s.Take(to), s.Close()); err != nil {
			return v, b, err
		}
	}
	return v, b, nil
}
