// SPDX-License-Identifier: Apache-2.0

package api

import "testing"

func TestThrottleInALineSaysWhyItIsOpen(t *testing.T) {
	cpus := []ThrottleCPU{{ID: 2, Idle: 0.404}, {ID: 5, Idle: 0}}
	for want, s := range map[string]Throttle{
		"probe, policy rate, latency 251 ns, closed: background idles CPU 2 40 %, CPU 5 0 %": {Latency: 250.7, State: ThrottleClosed, CPUs: cpus},
		"probe, policy rate, latency 92 ns, open: memory is fast enough for the policy":      {Latency: 92, State: ThrottleEnough},
		"probe, policy rate, latency -, open: no latency is measured yet":                    {State: ThrottleWarming},
		"probe, policy rate, latency 0 ns, open: the source is not healthy: stuck":           {Latency: 0.3, State: ThrottleBlind, Health: "stuck"},
		"probe, policy rate, latency 92 ns, open: a decision is overdue":                     {Latency: 92, State: ThrottleLate},
	} {
		s.Source, s.Policy = "probe", "rate"
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
