// SPDX-License-Identifier: Apache-2.0

package contended

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// Dom0Arg leads this program, in the lab, to [Dom0]; the experiment follows.
const Dom0Arg = "mjump-dom0"

// mjumpProgram is where the images have it.
const mjumpProgram = "/usr/lib/vlibbench/mjump"

// host is Dom0's view of the machine.
type host struct {
	Experiment
	Samples
	bus    *model.Bus
	module *vlib.Module
}

// Dom0 runs in Dom0, measures, and writes the Samples as one JSON object. It
// says on log what it has measured.
func Dom0(ctx context.Context, experiment string, out, log io.Writer) (err error) {
	x := &host{Samples: make(Samples)}
	if err := json.Unmarshal([]byte(experiment), &x.Experiment); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	if err := x.Check(); err != nil {
		return err
	}
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // as in Dom0
	h, err := xenctl.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if x.module, err = vlib.Open(h); err != nil {
		return err
	}
	if x.bus, err = model.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.bus.Close()) }()
	for _, percent := range x.Utilisations {
		series, err := bench.Interleave(ctx, x.Repeats, x.parts(percent, log))
		if err != nil {
			return fmt.Errorf("utilisation %d %%: %w", percent, err)
		}
		for bar, figures := range series {
			x.Samples[group(percent)+"."+bar] = figures
		}
	}
	return json.NewEncoder(out).Encode(x.Samples)
}

func (x *host) parts(percent int, log io.Writer) []bench.Part {
	var parts []bench.Part
	for _, bar := range bars {
		parts = append(parts, bench.Part{Name: bar, Measure: func(ctx context.Context) (float64, error) {
			w, err := x.measure(ctx, bar, percent)
			fmt.Fprintf(log, "%s %s: %.0f writes a second of foreground\n", group(percent), bar, w)
			return w, err
		}})
	}
	return parts
}

// measure runs the task once with what a bar has beside it.
func (x *host) measure(ctx context.Context, bar string, percent int) (perSecond float64, err error) {
	end, err := x.withBus(func() (func() error, error) { return x.other(ctx, bar, percent) })
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, end()) }()
	note := func(name string, v float64) {
		name = group(percent) + "." + bar + name
		x.Samples[name] = append(x.Samples[name], v)
	}
	controlled, stop := context.WithCancel(ctx)
	type outcome struct {
		idle float64
		err  error
	}
	ended := make(chan outcome, 1)
	if bar == masterControlled || bar == called {
		go func() {
			idle, err := x.control(controlled, x.controller())
			ended <- outcome{idle, err}
		}()
	} else {
		ended <- outcome{}
	}
	defer func() {
		stop()
		o := <-ended
		note(idleShare, o.idle)
		err = errors.Join(err, o.err)
	}()
	var work mjump.Work
	var mine model.Counters
	begin := time.Now()
	theirs, err := counted(x.bus, batchCPU, func() error {
		var err error
		mine, err = counted(x.bus, taskCPU, func() error {
			period, _ := x.Periods()
			work, err = mjump.Task(ctx, mjumpProgram, share(period, percent), period, x.Jobs)
			return err
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	note(batchRate, float64(theirs.Requests)/time.Since(begin).Seconds())
	note(latencies, float64(mine.Latency()))
	note(lateShare, float64(mine.Late+theirs.Late)/float64(mine.Occupancy+theirs.Occupancy))
	return work.PerSecond(), nil
}

// withBus switches the memory bus on, and starts what is to be there; the end
// of that switches it off.
func (x *host) withBus(start func() (func() error, error)) (end func() error, err error) {
	if err := x.bus.SetService(x.Service); err != nil {
		return nil, err
	}
	off := func() error { return x.bus.SetService(0) }
	stop, err := start()
	if err != nil {
		return nil, errors.Join(err, off())
	}
	// Off first: what ends then ends sooner.
	return func() error { return errors.Join(off(), stop()) }, nil
}
