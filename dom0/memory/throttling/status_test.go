// SPDX-License-Identifier: Apache-2.0

package throttling

import "testing"

func TestStatusNamesTheReasonForAnOpenThrottle(t *testing.T) {
	cpus := []CPU{{ID: 2, Idle: 0.404}, {ID: 5, Idle: 0}}
	for want, s := range map[string]Status{
		"probe, policy rate, latency 251 ns, closed: background idles CPU 2 40 %, CPU 5 0 %": {Latency: 250.7, State: Closed, CPUs: cpus},
		"probe, policy rate, latency 92 ns, open: memory is fast enough for the policy":      {Latency: 92, State: Enough},
		"probe, policy rate, latency -, open: no latency is measured yet":                    {State: Warming},
		"probe, policy rate, latency 0 ns, open: the source is not healthy: stuck":           {Latency: 0.3, State: Blind, Health: "stuck"},
		"probe, policy rate, latency 92 ns, open: a decision is overdue":                     {Latency: 92, State: Late},
	} {
		s.Source, s.Policy = "probe", "rate"
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for want, s := range map[State]Status{
		Closed:  {CPUs: cpus, Decisions: 1, unhealthy: true}, // the host still throttles
		Warming: {Health: "good"},
		Blind:   {Decisions: 1, Health: "absent", unhealthy: true},
		Enough:  {Decisions: 1, Health: "good"},
	} {
		if got := s.state(false); got != want {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
		if got := s.state(true); want != Closed && got != Late {
			t.Errorf("%+v, late: %s", s, got)
		}
	}
}
