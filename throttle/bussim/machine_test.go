// SPDX-License-Identifier: Apache-2.0

package bussim

import (
	"math"
	"testing"
	"time"

	"github.com/vlibos/vlibos/throttle"
)

// machines have one foreground core each. They range from one that hardly fills
// the bus to one whose latency jumps as soon as another core runs.
var machines = map[string]func() *Machine{
	"two cores": func() *Machine {
		return New(50*time.Nanosecond, Core{Think: 100 * time.Nanosecond, Foreground: true}, Core{Parallel: 4})
	},
	"shallow": func() *Machine {
		return New(50*time.Nanosecond, Core{Think: 200 * time.Nanosecond, Foreground: true}, Core{Think: 50 * time.Nanosecond}, Core{Think: 100 * time.Nanosecond})
	},
	"steep": func() *Machine {
		return New(50*time.Nanosecond, Core{Think: 50 * time.Nanosecond, Foreground: true}, Core{Parallel: 12}, Core{Parallel: 12, Think: 2 * time.Microsecond}, Core{Parallel: 6})
	},
	"eight": func() *Machine {
		cores := []Core{{Think: 100 * time.Nanosecond, Foreground: true}}
		for i := range 7 {
			cores = append(cores, Core{Think: time.Duration(i*200) * time.Nanosecond, Parallel: 1 + i%3})
		}
		return New(60*time.Nanosecond, cores...)
	},
}

const period = 200 * time.Microsecond

// trial runs a policy on a machine and calls each after every period.
func trial(t *testing.T, p *Machine, policy throttle.Policy, periods int, each func(i int, s *throttle.Sample, idle []float64)) {
	t.Helper()
	c := throttle.NewController(policy, time.Minute, func(err error) { t.Error(err) })
	defer c.Close()
	var m throttle.Meter
	idle := make([]float64, len(p.cores)-1)
	for i := range periods {
		p.Run(period, idle)
		s, err := m.Take(p)
		if err != nil {
			t.Fatal(err)
		}
		copy(idle, c.Decide(s))
		each(i, s, idle)
	}
}

// latencies returns a machine's latency alone, and with all others
// uncontrolled.
func latencies(t *testing.T, make func() *Machine) (alone, loaded float64) {
	t.Helper()
	for _, on := range []bool{false, true} {
		p := make()
		p.Probe = true
		for i := 1; i < len(p.cores); i++ {
			p.Switch(i, on)
		}
		none, err := throttle.New("none", throttle.Params{})
		if err != nil {
			t.Fatal(err)
		}
		trial(t, p, none, 10, func(_ int, s *throttle.Sample, _ []float64) {
			if on {
				loaded = s.Latency
			} else {
				alone = s.Latency
			}
		})
	}
	if loaded < 1.2*alone {
		t.Fatalf("latency alone %v, with the others %v: there is nothing to control", alone, loaded)
	}
	return alone, loaded
}

func newPolicy(t *testing.T, name string, limit float64) throttle.Policy {
	t.Helper()
	p, err := throttle.New(name, throttle.Params{Threshold: limit, Budget: 2e6})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPoliciesThrottleSoonAndOnlyUnderContention(t *testing.T) {
	for machine, make := range machines {
		alone, loaded := latencies(t, make)
		for _, name := range []string{"threshold", "feedback", "rate"} {
			p := make()
			p.Probe = true
			for i := 1; i < len(p.cores); i++ {
				p.Switch(i, false)
			}
			const quiet = 20
			trial(t, p, newPolicy(t, name, alone+0.3*(loaded-alone)), quiet+4, func(i int, _ *throttle.Sample, idle []float64) {
				throttled := 0.0
				for _, v := range idle {
					throttled = max(throttled, v)
				}
				switch {
				case i < quiet && throttled > 0:
					t.Errorf("%s, %s: throttled by %v without contention", machine, name, throttled)
				case i == quiet-1:
					for j := 1; j < len(p.cores); j++ {
						p.Switch(j, true)
					}
				case i == quiet+2 && throttled == 0:
					t.Errorf("%s, %s: not throttled after 3 periods of contention", machine, name)
				}
			})
		}
	}
}

func TestPoliciesSettleWithoutOscillating(t *testing.T) {
	for machine, make := range machines {
		alone, loaded := latencies(t, make)
		for _, name := range []string{"threshold", "feedback", "rate"} {
			for _, at := range []float64{0.2, 0.6} {
				p := make()
				p.Probe = true
				limit := alone + at*(loaded-alone)
				low, high, sum, turns, was, way := 1.0, 0.0, 0.0, 0, 0.0, 0.0
				const settling, then = 250, 80
				trial(t, p, newPolicy(t, name, limit), settling+then, func(i int, s *throttle.Sample, idle []float64) {
					if i < settling {
						was = idle[0]
						return
					}
					low, high, sum = min(low, idle[0]), max(high, idle[0]), sum+s.Latency
					if d := idle[0] - was; math.Abs(d) > 0.01 {
						if d*way < 0 {
							turns++
						}
						way = d
					}
					was = idle[0]
				})
				t.Logf("%s, %s at %.0f ns: idle %.3f to %.3f, %d turns, latency %.1f", machine, name, limit, low, high, turns, sum/then)
				if high-low > 0.1 || turns > then/10 {
					t.Errorf("%s, %s at %.0f ns: idle swings from %.3f to %.3f, %d turns", machine, name, limit, low, high, turns)
				}
				if name != "rate" && sum/then > 1.1*limit {
					t.Errorf("%s, %s: settles at %.1f ns, and the limit is %.1f", machine, name, sum/then, limit)
				}
			}
		}
	}
}

func TestPoliciesRecoverSteadily(t *testing.T) {
	for machine, make := range machines {
		alone, loaded := latencies(t, make)
		for _, name := range []string{"threshold", "feedback", "rate"} {
			p := make()
			p.Probe = true
			const busy = 150
			was := 1.0
			trial(t, p, newPolicy(t, name, alone+0.5*(loaded-alone)), busy+400, func(i int, _ *throttle.Sample, idle []float64) {
				if i == busy {
					for j := 1; j < len(p.cores); j++ {
						p.Switch(j, false)
					}
				}
				if i > busy+1 {
					if idle[0] > was+1e-9 {
						t.Errorf("%s, %s: idle goes from %v to %v without contention", machine, name, was, idle[0])
					}
				}
				was = idle[0]
			})
			if was > 0 {
				t.Errorf("%s, %s: idle is still %v", machine, name, was)
			}
		}
	}
}
