// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vlibos/vlibos/dom0/api"
)

var (
	throttleInfo      = describe("throttle_info", "Always 1 while a throttle runs; the labels name its source, its policy, and how each CPU's traffic is determined.", "source", "policy", "traffic")
	throttleState     = describe("throttle_state", "1 for the state that the throttle is in: closed, or open because of the policy, warming, the source, or late.", "state")
	throttleLatency   = describe("throttle_latency_seconds", "Average latency of memory in the last period; missing while it is unknown.")
	throttlePeriod    = describe("throttle_period_seconds", "Time between two decisions of the throttle.")
	throttleIdle      = describe("throttle_idle_ratio", "Share of the time in which the CPU gives no background time, 0 to 1.", "cpu")
	throttleDecisions = describe("throttle_decisions_total", "Decisions since the throttle was started.")
	throttleClosed    = describe("throttle_closed_decisions_total", "Decisions that made a CPU idle.")
	throttleUnhealthy = describe("throttle_unhealthy_decisions_total", "Decisions to open all, since the source of latency was not healthy.")
	throttleDropped   = describe("throttle_dropped_policies_total", "Policies that failed, and were replaced by the next.")
	throttleLate      = describe("throttle_late_total", "How often a decision was overdue, and all CPUs were opened.")
)

var throttleDescs = []*prometheus.Desc{throttleInfo, throttleState, throttleLatency, throttlePeriod, throttleIdle, throttleDecisions, throttleClosed,
	throttleUnhealthy, throttleDropped, throttleLate}

func collectThrottle(to chan<- prometheus.Metric, s *api.Throttle) {
	if s == nil {
		return
	}
	gauge(to, throttleInfo, 1, s.Source, s.Policy, s.Traffic)
	for _, state := range api.ThrottleStates {
		gauge(to, throttleState, truth(s.State == state), string(state))
	}
	if s.Latency > 0 {
		gauge(to, throttleLatency, s.Latency/1e9)
	}
	gauge(to, throttlePeriod, s.Period.Seconds())
	for _, c := range s.CPUs {
		gauge(to, throttleIdle, c.Idle, strconv.Itoa(c.ID))
	}
	counter(to, throttleDecisions, float64(s.Decisions))
	counter(to, throttleClosed, float64(s.Throttled))
	counter(to, throttleUnhealthy, float64(s.Unhealthy))
	counter(to, throttleDropped, float64(s.Dropped))
	counter(to, throttleLate, float64(s.Stuck))
}
