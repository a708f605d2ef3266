// SPDX-License-Identifier: Apache-2.0

// Package calibrate finds out how the latency of memory on this host follows
// the load: it lets processes stream through memory, for more and more of their
// time, and looks at a source of latency meanwhile.
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

// Loads are the shares of time in which the loads run, in per cent.
var Loads = []int{0, 10, 25, 50, 75, 100}

// rounds is how often each load is looked at, in turn forwards and backwards.
const rounds = 4

// stuckAfter is how long a source that is all right may count nothing: on a
// busy machine a probe can wait for its CPU for some time.
const stuckAfter = 2 * time.Second

// Options of Measure.
type Options struct {
	Source throttle.Source
	// Load is called with what is to run from now on, in per cent.
	Load  func(percent int) error
	Total time.Duration // of all
	Log   io.Writer     // what is going on
}

// Measure returns the curve. Every tenth of a look settles and does not count.
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
				return nil, fmt.Errorf("source %s: its counters are %s: nothing counted in %v", o.Source.Name(), throttle.Stuck, quiet.Round(time.Millisecond))
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
			return nil, fmt.Errorf("source %s: its counters are %s: nothing counted at %d %% of load within %v: use more --seconds",
				o.Source.Name(), throttle.Stuck, load, look*rounds)
		}
		slices.Sort(v)
		at := func(q float64) float64 { return v[int(q*float64(len(v)-1))] }
		c = append(c, throttle.Point{Load: float64(load) / 100, Latency: at(0.5), Low: at(0.1), High: at(0.9)})
	}
	return c, nil
}

// samples are the latencies in that time, ten looks or one each 50 ms.
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
		case throttle.Quiet, throttle.Stuck, throttle.Warming: // nothing counted
		default:
			return nil, fmt.Errorf("source %s: its counters are %s", s.Name(), got.Health)
		}
		if err := clock.Sleep(ctx, step); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Processes are load processes, one a CPU.
type Processes struct {
	all []process
}

type process struct {
	cmd  *exec.Cmd
	gate io.WriteCloser
}

// Start starts a load on each CPU: command, followed by the CPU and the MiB.
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

// Set lets all of them run for a share of the time, in per cent.
func (p *Processes) Set(percent int) error {
	for _, l := range p.all {
		if _, err := l.gate.Write([]byte{byte(percent)}); err != nil {
			return fmt.Errorf("a load has ended: %w", err)
		}
	}
	return nil
}

// Close ends them.
func (p *Processes) Close() error {
	var errs []error
	for _, l := range p.all {
		errs = append(errs, l.gate.Close(), l.cmd.Wait())
	}
	return errors.Join(errs...)
}
