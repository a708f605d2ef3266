// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vlibos/vlibos/dom0/master"
)

var (
	budget     = reservation("budget_seconds", "CPU time that the domain has for sure in every period.")
	period     = reservation("period_seconds", "Every so often the budget is there again.")
	running    = reservation("running", "Whether the domain runs; its reservation waits for it else.")
	absent     = reservation("absent", "Whether the configuration wants it and no domain has that name, number or UUID: a typing error, or it was never started.")
	problem    = reservation("problem", "Whether the domain runs without its reservation; 'vlibmaster ps' says why.")
	foreground = reservation("foreground_seconds_total", "CPU time on the budget, since the domain was adopted.")
	background = reservation("background_seconds_total", "CPU time beyond the budget, that nobody else had reserved.")
	throttled  = reservation("throttled_seconds_total", "Time in which the domain could have run in background, and was not let.")
	left       = reservation("left_seconds", "What is left of the budget now.")
	nextRefill = reservation("next_refill_seconds", "Until budget comes back.")

	cpuReserved = describe("cpu_reserved_ratio", "Share of a CPU that is promised to adopted domains, 0 to 1.", "cpu")
)

var reservationDescs = []*prometheus.Desc{budget, period, running, absent, problem, foreground, background, throttled, left, nextRefill, cpuReserved}

func reservation(name, help string) *prometheus.Desc {
	return describe("reservation_"+name, help, "uuid", "name")
}

func collectReservations(to chan<- prometheus.Metric, all []master.Status) {
	cpus := make(map[int]float64)
	seen := make(map[[2]string]bool)
	for _, s := range all {
		share := float64(s.Budget) / float64(s.Period)
		for _, cpu := range s.CPUs {
			if !s.Waits { // else nothing is promised
				cpus[cpu] += share
			}
		}
		l := clean([]string{s.UUID, s.Name})
		key := [2]string{l[0]}
		if s.Absent {
			key[1] = l[1] // it has no UUID
		}
		if seen[key] {
			continue // two that a label cannot tell apart
		}
		seen[key] = true
		gauge(to, budget, s.Budget.Seconds(), l...)
		gauge(to, period, s.Period.Seconds(), l...)
		gauge(to, running, truth(s.Domain != ""), l...)
		gauge(to, absent, truth(s.Absent), l...)
		gauge(to, problem, truth(s.Domain != "" && s.Problem != ""), l...)
		if s.Domain == "" || s.Problem != "" {
			continue // nothing is known of what was used: 0 would be a lie
		}
		counter(to, foreground, s.Foreground.Seconds(), l...)
		counter(to, background, s.Background.Seconds(), l...)
		counter(to, throttled, s.Throttled.Seconds(), l...)
		gauge(to, left, s.Left.Seconds(), l...)
		gauge(to, nextRefill, s.Next.Seconds(), l...)
	}
	for cpu, share := range cpus {
		gauge(to, cpuReserved, share, strconv.Itoa(cpu))
	}
}
