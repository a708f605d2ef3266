// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"errors"
	"maps"

	"github.com/vlibos/vlibos/bench"
)

// calibrations is how often the modes alone and uncontrolled are measured, in turn,
// for the limits of throttles.
const calibrations = 5

// Measure measures a block when its mode has begun.
type Measure func(context.Context, Mode) (bench.Block, error)

// Calibrate measures what the throttles' limits come from. It is called before
// [Machine.Rounds], and its blocks do not count.
func (h *Machine) Calibrate(ctx context.Context, measure Measure) error {
	for range calibrations {
		for _, name := range []string{Alone, Uncontrolled} {
			if _, err := h.block(ctx, name, measure); err != nil {
				return err
			}
		}
	}
	return nil
}

// Rounds measures blocks of the modes ([bench.MeasureRounds]).
func (h *Machine) Rounds(ctx context.Context, modes []Mode, seed uint64, rounds int, progress func(string), measure Measure) (bench.Rounds, error) {
	var names []string
	for _, m := range modes {
		names = append(names, m.Name)
	}
	r, err := bench.MeasureRounds(ctx, seed, rounds, names, progress, func(ctx context.Context, name string) (bench.Block, error) {
		return h.block(ctx, name, measure)
	})
	return r, errors.Join(err, h.free())
}

func (h *Machine) block(ctx context.Context, name string, measure Measure) (bench.Block, error) {
	m := Find(name)
	if err := h.Set(ctx, m); err != nil {
		return bench.Block{}, err
	}
	return measure(ctx, m)
}

// Instead begins the names of raw numbers that compare a mode with what there would be
// without its control.
const Instead = "control_"

// Record makes a mode's record: the ratios to the service alone, of which the value is
// that of the 99th percentile, those to the same job without control, and what its
// throttle did.
func (h *Machine) Record(name string, m Mode, rounds bench.Rounds) bench.Record {
	r := bench.Record{Name: name, Better: bench.Lower, Unit: "µs", Raw: map[string]float64{"load_1min": bench.Load()}}
	maps.Copy(r.Raw, h.notes[m.Name])
	r.Discards(rounds, m.Name)
	if full := rounds.Work(Uncontrolled); full > 0 {
		r.Raw["work_percent"] = 100 * rounds.Work(m.Name) / full
	}
	if m.Name == Alone {
		return r
	}
	r.Pair(rounds, m.Name, Alone, "")
	if m.instead != "" {
		r.Pair(rounds, m.Name, m.instead, Instead)
	}
	r.Value, r.Unit = r.Raw["p99_ratio"], "ratio"
	r.Raw["ratio_low"], r.Raw["ratio_high"] = r.Raw["p99_ratio_low"], r.Raw["p99_ratio_high"]
	return r
}
