// SPDX-License-Identifier: Apache-2.0

package bussim

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/throttle"
)

// Beside a program that works half of the time, a policy that reacts to latency
// lets the other core run in the pauses, and so keeps more of its work than a
// rate limit does at the same slowdown. Here there is contention for half of
// the time; the longer the turns are, the larger the difference.
func TestLatencyKeepsMoreThanRate(t *testing.T) {
	const (
		turns, turn = 6, 50 // of the program, and periods in each
		service     = 50 * time.Nanosecond
	)
	run := func(name string, params throttle.Params, beside bool) (mine, others float64) {
		p := New(service, Core{Think: 20 * time.Nanosecond, Foreground: true}, Core{Think: 20 * time.Nanosecond})
		p.Switch(0, false)
		p.Switch(1, beside)
		policy, err := throttle.New(name, params)
		if err != nil {
			t.Fatal(err)
		}
		trial(t, p, policy, 2*turns*turn, func(i int, _ *throttle.Sample, _ []float64) {
			if (i+1)%turn == 0 {
				p.Switch(0, (i+1)/turn%2 == 1)
			}
		})
		return float64(p.Work(0)), float64(p.Work(1))
	}
	alone, _ := run("none", throttle.Params{}, false)
	beside, free := run("none", throttle.Params{}, true)
	if alone < 1.3*beside {
		t.Fatalf("%.0f requests alone, %.0f beside the other: there is nothing to control", alone, beside)
	}
	rates := []bench.Tradeoff{{Slowdown: alone / beside, Work: 1}}
	perSecond := free / (2 * turns * turn * period).Seconds()
	for _, part := range []float64{0.1, 0.2, 0.3, 0.45, 0.6, 0.8} {
		mine, others := run("rate", throttle.Params{Budget: part * perSecond}, true)
		rates = append(rates, bench.Tradeoff{Slowdown: alone / mine, Work: others / free})
	}
	for _, name := range []string{"threshold", "feedback"} {
		for _, limit := range []float64{1.15, 1.3} {
			mine, others := run(name, throttle.Params{Threshold: limit * float64(service)}, true)
			work, rate := others/free, bench.WorkAt(rates, alone/mine)
			t.Logf("%s at %.2f: %.2f times as slow as alone, keeps %.2f; rate %.2f", name, limit, alone/mine, work, rate)
			if work < 1.2*rate || rate == 0 {
				t.Errorf("%s at %.2f keeps %.2f, rate %.2f", name, limit, work, rate)
			}
		}
	}
}
