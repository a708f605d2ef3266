// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/throttle/probe"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// capable returns an error for a host that cannot be throttled.
func capable(p host.Host) error {
	if !p.Can().Throttle {
		return fmt.Errorf("throttle: host %s: %w: remove the table [throttle]", p.Name(), host.ErrNotHere)
	}
	return nil
}

// OpenSource opens a configuration's source of memory latency.
func OpenSource(c config.Throttle, p host.Host) (throttle.Source, error) {
	if err := capable(p); err != nil {
		return nil, err
	}
	there, err := p.CPUs()
	if err != nil {
		return nil, err
	}
	cpus := c.CPUs
	for _, cpu := range cpus {
		if !slices.Contains(there, cpu) {
			return nil, fmt.Errorf("throttle: cpus: this host has no CPU %d: it has %v", cpu, there)
		}
	}
	if len(cpus) == 0 {
		cpus = slices.DeleteFunc(there, func(cpu int) bool { return cpu == c.ProbeCPU })
	}
	switch c.Source {
	case "requests":
		return requestlatency.Open(c.Requests, c.Quantile, cpus)
	case "probe":
		return openProbe(c, cpus)
	case "model":
		return model.OpenSource(cpus)
	}
	s, err := p.LatencySource(cpus)
	if c.Source == "auto" && errors.Is(err, throttle.ErrNoSource) {
		if c.ProbeCPU >= 0 {
			return openProbe(c, cpus)
		}
		err = fmt.Errorf("%w; it needs probe_cpu, a CPU of which it may use a hundredth", err)
	}
	return s, err
}

func openProbe(c config.Throttle, cpus []int) (throttle.Source, error) {
	return probe.Open(probe.Options{
		CPU: c.ProbeCPU, Buffer: c.ProbeMiB << 20, Throttled: cpus,
		// Several bursts in each period, so that they fall into all of its parts.
		Interval: min(probe.DefaultInterval, c.Period/4),
	})
}

// open makes the loop of a configuration.
func open(c config.Throttle, p host.Host, log *slog.Logger) (*Loop, error) {
	if err := capable(p); err != nil {
		return nil, err
	}
	policy, fallbacks, err := policies(c)
	if err != nil {
		return nil, err
	}
	s, err := OpenSource(c, p)
	if err != nil {
		return nil, err
	}
	return New(Options{Period: c.Period, Source: s, Policy: policy, Fallbacks: fallbacks, Host: p, Log: log}), nil
}

// policies returns a configuration's policy, and the default one as its fallback if
// there is a threshold for it.
func policies(c config.Throttle) (throttle.Policy, []throttle.Policy, error) {
	policy, err := throttle.New(c.Policy, c.Params)
	if err != nil {
		return nil, nil, err
	}
	if c.Policy == "threshold" || c.Policy == "none" || c.Params.Threshold == 0 {
		return policy, nil, nil
	}
	fallback, err := throttle.New("threshold", c.Params)
	return policy, []throttle.Policy{fallback}, err
}
