// SPDX-License-Identifier: Apache-2.0

package policies

import (
	"fmt"

	"github.com/vlibos/vlibos/throttle"
)

// setting is one way to control the domain.
type setting struct {
	name   string
	policy string // empty for no control loop
	at     throttle.Params
	felt   bool // the policy uses the victim's latency, not the probe's
	alone  bool // the domain is stopped
}

// levels are latencies and rates, measured before the comparison.
type levels struct {
	probeAlone, probeLoaded   float64 // ns
	victimAlone, victimLoaded float64 // ns a request
	lines                     float64 // that the domain writes without control, per second
}

// settings returns all settings that are compared, the two bounds first.
func (l levels) settings() []setting {
	all := []setting{{name: "alone", alone: true}, {name: "none"}}
	between := func(a, b, f float64) float64 { return a + f*max(b-a, 0.02*a) }
	for _, f := range []float64{0.25, 0.5} {
		all = append(all, setting{name: fmt.Sprintf("threshold-%g", f), policy: "threshold", at: throttle.Params{Threshold: between(l.probeAlone, l.probeLoaded, f)}})
	}
	for _, f := range []float64{0.25, 0.5} {
		all = append(all, setting{name: fmt.Sprintf("feedback-%g", f), policy: "feedback", at: throttle.Params{Threshold: between(l.probeAlone, l.probeLoaded, f)}})
	}
	for _, f := range []float64{1.15, 1.3, 1.6} {
		all = append(all, setting{name: fmt.Sprintf("felt-%g", f), policy: "feedback", felt: true, at: throttle.Params{Threshold: f * l.victimAlone}})
	}
	for _, f := range []float64{0.15, 0.3, 0.6} {
		all = append(all, setting{name: fmt.Sprintf("rate-%g", f), policy: "rate", at: throttle.Params{Budget: f * l.lines}})
	}
	return all
}

// counted is a source that takes the traffic of the throttled CPU from the
// domain's own record. The policy rate needs the traffic, and there is no PMU.
type counted struct {
	throttle.Source
	domain throttle.Source
	have   throttle.Counters
}

func (c *counted) Read(to *throttle.Counters) error {
	if err := c.domain.Read(&c.have); err != nil {
		return err
	}
	if err := c.Source.Read(to); err != nil {
		return err
	}
	to.CPUs[0].Requests, to.CPUs[0].Width = c.have.Units[0].Requests, 64
	return nil
}
