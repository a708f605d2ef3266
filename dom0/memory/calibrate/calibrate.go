// SPDX-License-Identifier: Apache-2.0

// Package calibrate measures how the latency of memory on this host depends on the
// load: processes stream through memory for a growing share of their time while a
// source of latency is read.
package calibrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/throttle"
)

// Loads are the measured loads: shares of time in which the processes run, in per
// cent.
var Loads = []int{0, 10, 25, 50, 75, 100}

// rounds is how often each load is measured. The order alternates between upwards and
// downwards.
const rounds = 4

// stuckAfter is how long a working source may count nothing: a probe can wait for its
// CPU on a busy machine.
const stuckAfter = 2 * time.Second

// Options of Measure.
type Options struct {
	Source throttle.Source
	// Load sets the load, in per cent.
	Load  func(percent int) error
	Total time.Duration // of the measurement
	Log   io.Writer     // a line for each round
}

// Measure returns latency by load. The first tenth of each measurement settles and
// does not count.
func Measure(ctx context.Context, o Options) (throttle.Curve, error) {
	look := o.Total / time.Duration(rounds*len(Loads))
	seen := make(map[int][]float64)
	order := slices.Clone(Loads)
	moved := time.Now()
	for r := range rounds {
		for _, load := range order {
			if err := o.Load(load); err != nil {
				return nil, err
			}
			if err := clock.Sleep(ctx, look/10); err != nil {
				return nil, err
			}
			values, err := samples(ctx, o.Source, look*9/10)
			if err != nil {
				return nil, err
			}
			if len(values) > 0 {
				moved = time.Now()
			} else if quiet := time.Since(moved); quiet > stuckAfter {
				return nil, fmt.Errorf("source %s: its counters are %s: no request in %v", o.Source.Name(), throttle.Stuck, quiet.Round(time.Millisecond))
			}
			seen[load] = append(seen[load], values...)
		}
		slices.Reverse(order)
		fmt.Fprintf(o.Log, "calibrate: %d of %d\n", r+1, rounds)
	}
	var c throttle.Curve
	for _, load := range Loads {
		v := seen[load]
		if len(v) == 0 {
			return nil, fmt.Errorf("source %s: its counters are %s: no request at a load of %d %% within %v: use more --seconds",
				o.Source.Name(), throttle.Stuck, load, look*rounds)
		}
		slices.Sort(v)
		at := func(q float64) float64 { return v[int(q*float64(len(v)-1))] }
		c = append(c, throttle.Point{Load: float64(load) / 100, Latency: at(0.5), Low: at(0.1), High: at(0.9)})
	}
	return c, nil
}

// samples returns the latencies of a time d: ten, or one each 50 ms.
func samples(ctx context.Context, s throttle.Source, d time.Duration) ([]float64, error) {
	var m throttle.Meter
	var all []float64
	step := min(d/10, 50*time.Millisecond)
	for end := time.Now().Add(d); time.Now().Before(end); {
		got, err := m.Take(s)
		if err != nil {
			return nil, err
		}
		switch got.Health {
		case throttle.Good:
			all = append(all, got.Latency)
		case throttle.Quiet, throttle.Stuck, throttle.Warming: // no request
		default:
			return nil, fmt.Errorf("source %s: its counters are %s", s.Name(), got.Health)
		}
		if err := clock.Sleep(ctx, step); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Processes are load processes, one on each CPU.
type Processes struct {
	all []process
}

type process struct {
	cmd  *exec.Cmd
	gate io.WriteCloser
}

// Start starts command on each CPU, with the CPU and the MiB of its buffer as
// arguments.
func Start(command []string, cpus []int, mib int) (*Processes, error) {
	p := &Processes{}
	for _, cpu := range cpus {
		argv := append(slices.Clone(command), strconv.Itoa(cpu), strconv.Itoa(mib))
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Stderr = os.Stderr
		gate, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("load on CPU %d: %w", cpu, err), p.Close())
		}
		p.all = append(p.all, process{cmd, gate})
	}
	return p, p.Set(0)
}

// Set sets the share of time in which each process runs, in per cent.
func (p *Processes) Set(percent int) error {
	for _, l := range p.all {
		if _, err := l.gate.Write([]byte{byte(percent)}); err != nil {
			return fmt.Errorf("a load has ended: %w", err)
		}
	}
	return nil
}

// Close ends the processes.
func (p *Processes) Close() error {
	var errs []error
	for _, l := range p.all {
		errs = append(errs, l.gate.Close(), l.cmd.Wait())
	}
	return errors.Join(errs...)
}
