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

// Dom0Arg is the argument that makes this program, in the lab, call [Dom0]. The
// experiment follows it.
const Dom0Arg = "mjump-dom0"

// mjumpProgram is the path of m_jump in the lab's images.
const mjumpProgram = "/usr/lib/vlibbench/mjump"

// machine is the machine as Dom0 sees it.
type machine struct {
	Experiment
	Samples
	xen    *xenctl.Handle
	bus    *model.Bus
	module *vlib.Module
}

// Dom0 runs in Dom0: it measures, and writes the Samples to out as one JSON
// object. It writes each measurement to log as it ends.
func Dom0(ctx context.Context, experiment string, out, log io.Writer) (err error) {
	x := &machine{Samples: make(Samples)}
	if err := json.Unmarshal([]byte(experiment), &x.Experiment); err != nil {
		return fmt.Errorf("experiment: %w", err)
	}
	if err := x.Check(); err != nil {
		return err
	}
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // as the daemon does in Dom0
	if x.xen, err = xenctl.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.xen.Close()) }()
	if x.module, err = vlib.Open(x.xen); err != nil {
		return err
	}
	if x.bus, err = model.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.bus.Close()) }()
	for _, percent := range x.Utilisations {
		series, err := bench.Interleave(ctx, x.Repeats, x.parts(percent, log))
		for bar, figures := range series {
			x.Samples[group(percent)+"."+bar] = figures
		}
		if err != nil { // what was measured is written all the same
			return errors.Join(fmt.Errorf("utilisation %d %%: %w", percent, err), json.NewEncoder(out).Encode(x.Samples))
		}
	}
	return json.NewEncoder(out).Encode(x.Samples)
}

func (x *machine) parts(percent int, log io.Writer) []bench.Part {
	var parts []bench.Part
	for _, bar := range x.bars() {
		parts = append(parts, bench.Part{Name: bar, Measure: func(ctx context.Context) (float64, error) {
			m, err := x.measure(ctx, bar, percent)
			if err != nil {
				return 0, err
			}
			name := group(percent) + "." + bar
			for figure, v := range m.figures() {
				x.Samples[name+figure] = append(x.Samples[name+figure], v)
			}
			_, err = fmt.Fprintf(log, "%s: %.0f writes a second of foreground, %v a request, denied %.1f %%, host late %.1f %%\n",
				name, m.perSecond(), m.mine.Latency(), 100*m.idle(), 100*m.late())
			return m.perSecond(), err
		}})
	}
	return parts
}

// measurement is one run of the task.
type measurement struct {
	work         mjump.Work
	mine, theirs model.Counters // of the task's CPU and of the other's
	elapsed      time.Duration
	denied       time.Duration // background time that the throttle took from the other
}

// perSecond is the number of writes per second of foreground time, without the
// time in which the emulating host ran something else. The emulator knows that
// time for turns on the bus, and one write is one turn.
func (m measurement) perSecond() float64 {
	late := time.Duration(float64(m.mine.Late) * min(1, float64(m.work.Writes)/float64(m.mine.Requests)))
	return float64(m.work.Writes) / (m.work.Used - late).Seconds()
}

// late is the part of the time on the bus that the emulating host added.
func (m measurement) late() float64 {
	sum := m.mine.Add(m.theirs)
	return float64(sum.Late) / float64(sum.Occupancy)
}

// idle is the part of the time in which the throttle stopped the other.
func (m measurement) idle() float64 { return m.denied.Seconds() / m.elapsed.Seconds() }

func (m measurement) figures() map[string]float64 {
	return map[string]float64{
		batchRate: float64(m.theirs.Requests) / m.elapsed.Seconds(),
		latencies: float64(m.mine.Latency()), idleShare: m.idle(), lateShare: m.late(),
	}
}

// warm is how long the task runs before its jobs. The throttle finds its level
// meanwhile.
const warm = 1500 * time.Millisecond

// measure runs the task once, beside what the bar has.
func (x *machine) measure(ctx context.Context, bar string, percent int) (m measurement, err error) {
	end := func() error { return nil }
	defer func() { err = errors.Join(err, end()) }()
	var begin time.Time
	var mine, theirs model.Counters
	var before vlib.CPU
	period, _ := x.Periods()
	task := mjump.Task{Warm: warm, Budget: share(period, percent), Period: period, Jobs: x.Jobs}
	if x.Fits {
		task.Bytes = fits
	}
	ready := func() error {
		stop, err := x.start(ctx, bar, percent)
		if err == nil {
			end = stop
		}
		return err
	}
	m.work, err = task.Run(ctx, mjumpProgram, ready, func() (err error) {
		begin = time.Now()
		if mine, theirs, err = x.read(); err != nil {
			return err
		}
		before, err = x.module.CPU(batchCPU)
		return err
	})
	if err != nil {
		return m, err
	}
	m.elapsed = time.Since(begin)
	if m.mine, m.theirs, err = x.read(); err != nil {
		return m, err
	}
	m.mine, m.theirs = m.mine.Since(mine), m.theirs.Since(theirs)
	after, err := x.module.CPU(batchCPU)
	m.denied = after.Denied - before.Denied
	return m, err
}

// start starts what a bar has beside the task, and then the bus: with the bus,
// programs start slowly.
func (x *machine) start(ctx context.Context, bar string, percent int) (stop func() error, err error) {
	end, err := x.other(ctx, bar, percent)
	if err != nil {
		return nil, err
	}
	quiet := func() error { return errors.Join(x.bus.SetService(0), end()) } // without the bus it ends sooner
	if err := x.bus.SetService(x.Service); err != nil {
		return nil, errors.Join(err, quiet())
	}
	if bar != masterControlled && bar != called && bar != throttled {
		return quiet, nil
	}
	open, err := x.startControl(ctx)
	if err != nil {
		return nil, errors.Join(err, quiet())
	}
	return func() error { return errors.Join(open(), quiet()) }, nil
}

// read returns the counters of the task's CPU and of the other's.
func (x *machine) read() (mine, theirs model.Counters, err error) {
	if mine, err = x.bus.Read(taskCPU); err != nil {
		return mine, theirs, err
	}
	theirs, err = x.bus.Read(batchCPU)
	return mine, theirs, err
}
