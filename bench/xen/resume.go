// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
)

// resumeCalls is how many calls are counted after each start of a machine.
const resumeCalls = 1000

// Dom0Calls runs in Dom0. It calls the DomU, and writes the counts of blocking
// calls as Samples.
func Dom0Calls(ctx context.Context, domid uint16, out io.Writer) (err error) {
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))) // as the daemon does in Dom0
	d, err := xen.Open(ctx, domid)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	s := make(Samples)
	if err := call(ctx, d, s, sampleBlock, resumeCalls, vlibcall.Block); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}

// Resume compares a resumed machine with a booted one: the cost of a call, and
// the time until a command has run.
func Resume(ctx context.Context, o Options) (records []bench.Record, err error) {
	images, err := o.images(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, images.remove()) }()
	var machine string
	median := func(fresh bool) (float64, error) {
		s, m, err := o.boot(ctx, images, lab.Config{Args: []string{self, o.Dom0Arg}, DomUs: 1, Fresh: fresh})
		if err != nil {
			return 0, err
		}
		if len(s[sampleBlock]) != resumeCalls {
			return 0, fmt.Errorf("%d calls were counted, want %d", len(s[sampleBlock]), resumeCalls)
		}
		machine = m
		return bench.Quantile(s[sampleBlock], 0.5), nil
	}
	booted, err := median(true)
	if err != nil {
		return nil, err
	}
	if _, err := median(false); err != nil { // saves the machine if it is not saved
		return nil, err
	}
	var resumed [2]float64
	for i := range resumed {
		if resumed[i], err = median(false); err != nil {
			return nil, err
		}
	}
	raw := map[string]float64{"booted_instructions": booted, "resumed_1_instructions": resumed[0], "resumed_2_instructions": resumed[1]}
	records = append(records,
		bench.Record{
			Name: "lab.resume.as_booted", Value: 100 * math.Abs(resumed[0]/booted-1), Unit: "%",
			Target: bench.Goal(1), Better: bench.Lower, Raw: raw, Machine: machine,
		},
		bench.Record{
			Name: "lab.resume.repeated", Value: math.Abs(resumed[1] - resumed[0]), Unit: "instructions",
			Target: bench.Goal(0), Better: bench.Lower, Raw: raw, Machine: machine,
		})
	for _, m := range []struct {
		mode lab.Mode
		goal float64
	}{{lab.Counted, 3}, {lab.Functional, 5}} {
		r, err := o.startTime(ctx, m.mode, m.goal)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// startTime measures how long the command true takes in Dom0 beside a DomU whose
// server answers, with the machine booted and resumed.
func (o Options) startTime(ctx context.Context, mode lab.Mode, goal float64) (bench.Record, error) {
	raw := make(map[string]float64)
	var machine string
	for _, way := range []string{"booted_s", "saved_s", "resumed_s"} {
		c := lab.Config{Mode: mode, DomUs: 1, Args: []string{"true"}, Fresh: way == "booted_s", SetupLog: o.Log, Progress: o.Progress}
		result, err := lab.Run(ctx, c)
		if err != nil {
			return bench.Record{}, err
		}
		raw[way] = result.Total.Seconds()
		machine = "Xen " + result.Versions.Xen + ", QEMU " + result.Versions.QEMU
	}
	return bench.Record{
		Name: "lab.resume." + string(mode), Value: raw["resumed_s"], Unit: "s",
		Target: bench.Goal(goal), Better: bench.Lower, Raw: raw, Machine: machine,
	}, nil
}
