// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vlibos/vlibos/dom0/api"
)

var (
	budget     = reservation("budget_seconds", "CPU time guaranteed in every period, by each server.")
	servers    = reservation("servers", "Number of servers, each with that budget: one for all vCPUs, or one for a vCPU.")
	period     = reservation("period_seconds", "Length of the period of the budget.")
	running    = reservation("running", "Whether the domain runs, or the threads; otherwise the reservation waits for the domain.")
	absent     = reservation("absent", "Whether the configuration names a domain and none has that name, number or UUID: a typing error, or the domain was never started.")
	problem    = reservation("problem", "Whether the domain or the threads run without the reservation; 'vlibmaster ps' says why.")
	foreground = reservation("foreground_seconds_total", "CPU time on the budget, since the reservation was made.")
	background = reservation("background_seconds_total", "CPU time beyond the budget, that no other had reserved.")
	throttled  = reservation("throttled_seconds_total", "How long the throttle kept it from running in background.")
	left       = reservation("left_seconds", "Unused part of the budget.")
	nextRefill = reservation("next_refill_seconds", "Time until budget comes back.")

	cpuReserved = describe("cpu_reserved_ratio", "Share of a CPU that is guaranteed to reservations, 0 to 1.", "cpu")
)

var reservationDescs = []*prometheus.Desc{budget, servers, period, running, absent, problem, foreground, background, throttled, left, nextRefill, cpuReserved}

// reservation describes a metric of a reservation. The label holder is domain,
// threads, or calls for one that is charged for calls only. uuid is the
// domain's, or the callees'; name is the domain's, the command's or the rule's.
func reservation(name, help string) *prometheus.Desc {
	return describe("reservation_"+name, help, "holder", "reservation", "uuid", "name")
}

func collectReservations(to chan<- prometheus.Metric, all []api.Status) {
	cpus := make(map[int]float64)
	for _, s := range all {
		for _, cpu := range s.CPUs {
			cpus[cpu] += s.ShareOfEach()
		}
		l := clean([]string{string(s.Kind()), strconv.FormatUint(uint64(s.ID), 10), s.UUIDs(), s.Name})
		runs := s.Running()
		gauge(to, budget, s.Budget.Seconds(), l...)
		gauge(to, servers, float64(s.Number()), l...)
		gauge(to, period, s.Period.Seconds(), l...)
		gauge(to, running, truth(runs), l...)
		gauge(to, absent, truth(s.Absent), l...)
		gauge(to, problem, truth(runs && s.Problem != ""), l...)
		if !runs || s.Problem != "" {
			continue // the use is unknown: 0 would be wrong
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
