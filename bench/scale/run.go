// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/rtsched"
)

// Options are those of the experiment.
type Options struct {
	Program        string // vlibmaster
	Domains        int
	Budget, Period time.Duration
	Rest           time.Duration // for which the daemon is watched at rest
	Repeats        int           // of each operation
	Progress       func(string)
}

// crowd is the daemon with its domains.
type crowd struct {
	Options
	*daemon
	host  *native.Host
	procs []*exec.Cmd
	names []string
	steps []bench.Record
}

// Run makes the domains, one sleeping process each, adopts them and measures. It
// removes them at its end.
func Run(ctx context.Context, o Options) (records []bench.Record, err error) {
	dir, err := os.MkdirTemp("", "vlibbench-scale")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c := &crowd{Options: o}
	parent := fmt.Sprintf("vlibbench-scale-%d", os.Getpid())
	if c.daemon, err = start(ctx, o.Program, parent, dir); err != nil {
		return nil, err
	}
	if c.host, err = native.Open(native.Options{Parent: parent}); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	defer func() { err = errors.Join(err, c.end()) }()
	for _, step := range []func(context.Context) error{c.adoptAll, c.rest, c.asked, c.removals} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c.steps, nil
}

// record adds what an operation cost: the least CPU time of the daemon, and the least
// wall time, of all repeats. Others' work lengthens both, and shortens neither.
func (c *crowd) record(name string, target float64, cpu, wall []float64, more map[string]float64) {
	raw := map[string]float64{
		"domains": float64(c.Domains), "daemon_cpu_ms_min": slices.Min(cpu), "daemon_cpu_ms_p50": bench.Quantile(cpu, 0.5),
		"wall_ms_p50": bench.Quantile(wall, 0.5), "wall_ms_max": slices.Max(wall), "load_1min": bench.Load(),
	}
	for k, v := range more {
		raw[k] = v
	}
	r := bench.Record{Name: "scale." + name, Value: slices.Min(wall), Unit: "ms", Better: bench.Lower, Raw: raw}
	if target > 0 {
		r.Target = bench.Goal(target)
	}
	c.steps = append(c.steps, r)
}

// timed runs f, and returns the daemon's CPU time and the wall time, in ms.
func (c *crowd) timed(f func() error) (cpu, wall float64, err error) {
	before, err := c.cpu()
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	err = f()
	took := time.Since(begin)
	after, failed := c.cpu()
	return ms(after - before), ms(took), errors.Join(err, failed)
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

func (c *crowd) adoptAll(ctx context.Context) error {
	var cpu, wall []float64
	for i := range c.Domains {
		name := fmt.Sprintf("d%04d", i)
		p := exec.Command("sleep", "infinity")
		if err := p.Start(); err != nil {
			return err
		}
		c.procs = append(c.procs, p)
		if err := c.host.Create(name, p.Process.Pid); err != nil {
			return err
		}
		c.names = append(c.names, name)
		r := api.Reservation{Reservation: host.Reservation{
			Task: rtsched.Task{Budget: c.Budget, Period: c.Period}, Holder: host.Holder{Domain: &host.Domain{Name: name}},
		}}
		used, took, err := c.timed(func() error { _, err := c.Reserve(ctx, r); return err })
		if err != nil {
			return err
		}
		cpu, wall = append(cpu, used), append(wall, took)
		if i%50 == 0 {
			c.Progress(fmt.Sprintf("adopted %d of %d", i, c.Domains))
		}
	}
	last := max(0, len(wall)-c.Repeats) // beside nearly all others
	c.record("adopt", 10, cpu[last:], wall[last:], nil)
	return nil
}

// rest measures the daemon while nothing happens.
func (c *crowd) rest(ctx context.Context) error {
	c.Progress("the daemon rests")
	sleep := func(d time.Duration) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d):
			return nil
		}
	}
	if err := sleep(3 * time.Second); err != nil {
		return err
	}
	var share []float64
	for range c.Repeats {
		cpu, wall, err := c.timed(func() error { return sleep(c.Rest / time.Duration(c.Repeats)) })
		if err != nil {
			return err
		}
		share = append(share, 100*cpu/wall)
	}
	bytes, err := c.memory()
	if err != nil {
		return err
	}
	n := float64(c.Domains)
	raw := map[string]float64{"domains": n, "percent_min": slices.Min(share), "percent_max": slices.Max(share), "load_1min": bench.Load()}
	c.steps = append(c.steps,
		bench.Record{Name: "scale.rest", Value: bench.Quantile(share, 0.5), Unit: "% of a CPU", Target: bench.Goal(2), Better: bench.Lower, Raw: raw},
		bench.Record{Name: "scale.memory", Value: bytes / (1 << 20), Unit: "MiB", Target: bench.Goal(40), Better: bench.Lower, Raw: map[string]float64{"domains": n}})
	return nil
}

// asked measures a list and a scrape.
func (c *crowd) asked(ctx context.Context) error {
	web := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(c.dir, api.SocketName))
	}}}
	defer web.CloseIdleConnections()
	lines := 0
	for _, ask := range []struct {
		name string
		f    func() error
	}{
		{"ps", func() error { return c.command(ctx, "ps").Run() }},
		{"scrape", func() error {
			r, err := web.Get("http://vlibmaster/metrics")
			if err != nil {
				return err
			}
			defer r.Body.Close()
			text, err := io.ReadAll(r.Body)
			lines = bytes.Count(text, []byte("\n"))
			return err
		}},
	} {
		c.Progress(ask.name)
		var cpu, wall []float64
		for range c.Repeats {
			used, took, err := c.timed(ask.f)
			if err != nil {
				return fmt.Errorf("%s: %w", ask.name, err)
			}
			cpu, wall = append(cpu, used), append(wall, took)
		}
		more := map[string]float64{}
		if lines > 0 {
			more["lines"] = float64(lines)
		}
		c.record(ask.name, 0, cpu, wall, more)
	}
	return nil
}

// removals measures the command that removes a domain with a running process.
func (c *crowd) removals(ctx context.Context) error {
	var cpu, wall, own []float64
	for range min(c.Repeats, len(c.names)) {
		name := c.names[len(c.names)-1]
		c.names = c.names[:len(c.names)-1]
		c.Progress("removes " + name)
		remove := c.command(ctx, "cgroup", "remove", name)
		used, took, err := c.timed(remove.Run)
		if err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		cpu, wall = append(cpu, used), append(wall, took)
		own = append(own, ms(remove.ProcessState.UserTime()+remove.ProcessState.SystemTime()))
	}
	c.record("remove", 20, cpu, wall, map[string]float64{"command_cpu_ms_min": slices.Min(own)})
	return nil
}

// end removes what is left.
func (c *crowd) end() error {
	c.Progress("removes the rest")
	errs := []error{c.stop()}
	for _, p := range c.procs {
		errs = append(errs, p.Process.Kill())
		_ = p.Wait() // killed
	}
	for _, name := range c.names {
		errs = append(errs, c.host.Remove(context.Background(), name))
	}
	return errors.Join(append(errs, c.host.Close(), c.host.Dissolve())...)
}
