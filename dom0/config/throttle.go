// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/internal/cpulist"
	"github.com/vlibos/vlibos/throttle"
)

// Throttle is what the table of that name says.
type Throttle struct {
	Source   string // one of Sources
	Policy   string // one of throttle.Policies
	Params   throttle.Params
	Period   time.Duration // of decisions
	CPUs     []int         // to throttle; none: all but ProbeCPU
	ProbeCPU int           // that the software probe runs on; -1: not said
	ProbeMiB int           // its buffer; 0: by the size of the cache
	Requests string        // file in which a program counts its requests
	Quantile float64       // of them; 0: the mean
}

// Sources of memory latency: uncore counters where there are any and else the
// probe, uncore counters, the probe, the requests of a program, the lab's memory bus.
var Sources = []string{"auto", "uncore", "probe", "requests", "model"}

// Bounds and default of the period; largest buffer of the probe.
const (
	minPeriod     = time.Millisecond
	maxPeriod     = 100 * time.Millisecond
	defaultPeriod = 10 * time.Millisecond

	mostProbeMiB = 4096
)

type throttleTOML struct {
	Source    word     `toml:"source"`
	Policy    word     `toml:"policy"`
	Threshold float64  `toml:"threshold_ns"`
	Most      float64  `toml:"most"`
	Budget    float64  `toml:"budget_per_s"`
	Period    duration `toml:"period"`
	CPUs      []int    `toml:"cpus"`
	ProbeCPU  *int     `toml:"probe_cpu"`
	ProbeMiB  int      `toml:"probe_mib"`
	Requests  word     `toml:"requests"`
	Quantile  float64  `toml:"quantile"`
}

func (t throttleTOML) parse() (*Throttle, error) {
	c := &Throttle{
		Source: string(t.Source), Policy: string(t.Policy), Period: time.Duration(t.Period), CPUs: t.CPUs, ProbeCPU: -1,
		ProbeMiB: t.ProbeMiB, Requests: string(t.Requests), Quantile: t.Quantile,
		Params: throttle.Params{Threshold: t.Threshold, Most: t.Most, Budget: t.Budget},
	}
	if c.Source == "" {
		c.Source = Sources[0]
	}
	if c.Policy == "" {
		c.Policy = "threshold"
	}
	if c.Period == 0 {
		c.Period = defaultPeriod
	}
	if t.ProbeCPU != nil {
		c.ProbeCPU = *t.ProbeCPU
	}
	switch {
	case !slices.Contains(Sources, c.Source):
		return nil, at(fmt.Errorf("source %q: want one of %s", c.Source, strings.Join(Sources, ", ")), "source")
	case c.Period < minPeriod || c.Period > maxPeriod:
		return nil, at(fmt.Errorf("period %v: %v to %v are allowed", c.Period, minPeriod, maxPeriod), "period")
	case slices.ContainsFunc(c.CPUs, func(cpu int) bool { return cpu < 0 || cpu > cpulist.Max }):
		return nil, at(fmt.Errorf("cpus %v: 0 to %d are allowed", c.CPUs, cpulist.Max), "cpus")
	case t.ProbeCPU != nil && (*t.ProbeCPU < 0 || *t.ProbeCPU > cpulist.Max):
		return nil, at(fmt.Errorf("probe_cpu %d: 0 to %d are allowed", *t.ProbeCPU, cpulist.Max), "probe_cpu")
	case c.ProbeMiB < 0 || c.ProbeMiB > mostProbeMiB:
		return nil, at(fmt.Errorf("probe_mib %d: 0, for twice the last-level cache, to %d are allowed", c.ProbeMiB, mostProbeMiB), "probe_mib")
	case c.Source == "probe" && c.ProbeCPU < 0:
		return nil, at(errors.New("source probe needs probe_cpu: a CPU of which it may use a hundredth"), "source")
	case c.Source == "requests" && c.Requests == "":
		return nil, at(errors.New("source requests needs requests: the file in which a program counts its requests"), "source")
	case !(c.Quantile >= 0 && c.Quantile < 1):
		return nil, at(fmt.Errorf("quantile %v: 0 for the mean, or less than 1", c.Quantile), "quantile")
	}
	if _, err := throttle.New(c.Policy, c.Params); err != nil {
		return nil, at(err, c.wrongParam(), "policy")
	}
	return c, nil
}

// wrongParam is the key of the parameter that the policy refuses.
func (c *Throttle) wrongParam() string {
	_, most := throttle.New("none", throttle.Params{Most: c.Params.Most})
	switch {
	case most != nil:
		return "most"
	case !slices.Contains(throttle.Policies, c.Policy):
		return "policy"
	case c.Policy == "rate":
		return "budget_per_s"
	}
	return "threshold_ns"
}
