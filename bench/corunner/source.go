// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// openSource opens what a daemon would open: the machine's counters, or a probe
// on the service's CPU if there are none. It runs in all modes, so that it costs
// the same in each.
func (h *Machine) openSource() (throttle.Source, error) {
	return throttling.OpenSource(config.Throttle{Source: "auto", ProbeCPU: h.ServiceCPU, CPUs: []int{h.OtherCPU}, Period: period}, h.host)
}

// openFelt opens the source of the users' latencies. It uses their median: a
// mean of few requests is dominated by the slowest.
func (h *Machine) openFelt() (throttle.Source, error) {
	return requestlatency.Open(h.Felt, 0.5, []int{h.OtherCPU})
}

// sourceOf returns a policy's source. The policy feedback controls the users'
// latency, if that is recorded.
func (h *Machine) sourceOf(policy string) (throttle.Source, error) {
	switch {
	case policy == "feedback" && h.Felt != "":
		return h.openFelt()
	case policy == "rate":
		return &counted{Source: unclosed{h.source}, host: h}, nil
	}
	return unclosed{h.source}, nil
}

// unclosed is the host's source, which all modes share and none closes.
type unclosed struct{ throttle.Source }

func (unclosed) Close() error { return nil }

// Units of a job's traffic.
const (
	misses  = "misses" // cache misses of its CPU, if the machine counts them
	lines   = "lines"  // cache lines, as the job counts them
	cpuTime = "cpu_ns" // CPU time, for a job that counts nothing
)

// unit returns the unit in which the job's traffic is counted.
func (h *Machine) unit() string {
	var c throttle.Counters
	if err := h.source.Read(&c); err == nil && len(c.CPUs) > 0 && c.CPUs[0].Width > 0 {
		return misses
	}
	if h.job.kind.lines {
		return lines
	}
	return cpuTime
}

// counted is a source that also knows the traffic of the job's CPU.
type counted struct {
	throttle.Source
	host *Machine
}

// Read implements throttle.Source.
func (c *counted) Read(to *throttle.Counters) error {
	if err := c.Source.Read(to); err != nil {
		return err
	}
	for i := range to.CPUs {
		if to.CPUs[i].Width > 0 {
			continue
		}
		n, err := c.host.traffic()
		if err != nil {
			return err
		}
		to.CPUs[i].Requests, to.CPUs[i].Width = n, 64
	}
	return nil
}

// traffic returns the job's traffic up to now, on a machine that does not count
// it.
func (h *Machine) traffic() (uint64, error) {
	if h.job.kind.lines {
		return h.job.work(), nil
	}
	u, err := h.host.Usage(context.Background(), h.domain(Job).On(background))
	return uint64(u.Foreground + u.Background), err
}
