// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"fmt"
	"strings"
)

// Policy decides. One goroutine may use it.
type Policy interface {
	// Name is one of [Policies], for people and scripts.
	Name() string
	// Decide writes the idle share of each of s.CPUs, from 0 to 1, into idle,
	// which contains those in force. The sample's health is good. Decide must
	// not keep s or idle.
	Decide(s *Sample, idle []float64)
	// Reset forgets all samples; from now on nothing is throttled.
	Reset()
}

// Params are the parameters of a policy. Each policy uses some of them.
type Params struct {
	// Threshold is the latency in ns above which memory is too slow; for
	// feedback, the latency to keep.
	Threshold float64
	// Most is the largest idle share; default [DefaultMost].
	Most float64
	// Budget is the number of requests a second that the policy rate guarantees
	// each CPU.
	Budget float64
}

// DefaultMost leaves background domains enough time to be seen to be alive.
const DefaultMost = 0.95

// Policies are the names of all policies.
var Policies = []string{"none", "threshold", "feedback", "rate"}

// New makes a policy.
func New(name string, p Params) (Policy, error) {
	if p.Most == 0 {
		p.Most = DefaultMost
	}
	if !(p.Most > 0 && p.Most <= 1) {
		return nil, fmt.Errorf("policy %s: a largest idle share of %v: more than 0 and at most 1 is allowed", name, p.Most)
	}
	switch name {
	case "none":
		return none{}, nil
	case "threshold", "feedback":
		if !(p.Threshold > 0 && p.Threshold < Longest) {
			return nil, fmt.Errorf("policy %s: a latency of %v ns: more than 0 and less than 1 ms is allowed; vlibmaster calibrate finds one", name, p.Threshold)
		}
		if name == "threshold" {
			return &threshold{limit: p.Threshold, share: sharer{most: p.Most}}, nil
		}
		return &feedback{target: p.Threshold, share: sharer{most: p.Most}, gain: 1}, nil
	case "rate":
		if !(p.Budget > 0 && p.Budget < fastest) {
			return nil, fmt.Errorf("policy rate: a budget of %v requests a second: more than 0 is needed", p.Budget)
		}
		return &rate{budget: p.Budget, most: p.Most}, nil
	}
	return nil, fmt.Errorf("policy %q: want one of %s", name, strings.Join(Policies, ", "))
}

type none struct{}

func (none) Name() string                     { return "none" }
func (none) Decide(_ *Sample, idle []float64) { clear(idle) }
func (none) Reset()                           {}
