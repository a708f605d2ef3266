// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"cmp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

var (
	domainCPU       = onDomain("cpu_seconds_total", "CPU time of the domain since it was made.")
	domainSteal     = onDomain("steal_seconds_total", "How long the domain's vCPUs were runnable and did not run, all together; not behind a closed gate. Missing where the host does not tell.")
	domainThrottled = onDomain("throttled_seconds_total", "How long the throttle kept the domain's vCPUs from running in background: a part of steal. Missing where the host does not tell.")
	domainGate      = onDomain("gate_closed", "Whether the domain's gate is closed. Missing for a domain that is never gated.")
	domainCache     = onDomain("cache_bytes", "What the domain fills of the third-level caches. Missing where the host does not tell.")
	domainMoved     = onDomain("memory_bytes_total", "What the domain has moved between caches and memory, since the master began to monitor it. Missing where the host does not tell.")

	domainCount    = describe("domains", "Domains of the host, reserved or not.")
	domainOverflow = describe("domain_overflow", "Domains without a reservation that have no series of their own, because there are too many.")
)

var domainDescs = []*prometheus.Desc{domainCPU, domainSteal, domainThrottled, domainGate, domainCache, domainMoved, domainCount, domainOverflow}

func onDomain(name, help string) *prometheus.Desc {
	return describe("domain_"+name, help, "uuid", "name", "reservation")
}

// mostUnreserved is how many domains without a reservation have series: the first ones of
// the host's list, which on Xen are the oldest.
const mostUnreserved = 256

// collectDomains adds up domains with the same labels: while one migrates there are two
// with its UUID.
func collectDomains(to chan<- prometheus.Metric, all []api.Domain) {
	type labels struct{ uuid, name, reservation string }
	type sum struct {
		host.Work
		cache *host.CacheUse
	}
	sums, unreserved, left := make(map[labels]sum), 0, 0
	for _, d := range all {
		reservation := ""
		if d.Reservation != 0 {
			reservation = strconv.FormatUint(uint64(d.Reservation), 10)
		} else if unreserved++; unreserved > mostUnreserved {
			left++
			continue
		}
		l := clean([]string{d.UUID, d.Name})
		key := labels{l[0], l[1], reservation}
		s := sums[key]
		s.CPU, s.Steal, s.Throttled = s.CPU+d.CPU, plus(s.Steal, d.Steal), plus(s.Throttled, d.Work.Throttled)
		if s.Gate != host.GateClosed {
			s.Gate = d.Gate
		}
		if u := d.Cache; u != nil && u.Problem == "" {
			if s.cache == nil {
				s.cache = &host.CacheUse{}
			}
			s.cache.Occupied, s.cache.Moved = s.cache.Occupied+u.Occupied, s.cache.Moved+u.Moved
		}
		sums[key] = s
	}
	for key, s := range sums {
		l := []string{key.uuid, key.name, key.reservation}
		counter(to, domainCPU, s.CPU.Seconds(), l...)
		if s.Steal != nil {
			counter(to, domainSteal, s.Steal.Seconds(), l...)
		}
		if s.Throttled != nil {
			counter(to, domainThrottled, s.Throttled.Seconds(), l...)
		}
		if s.Gate == host.GateClosed || s.Gate == host.GateOpen {
			gauge(to, domainGate, truth(s.Gate == host.GateClosed), l...)
		}
		if s.cache != nil {
			gauge(to, domainCache, float64(s.cache.Occupied), l...)
			counter(to, domainMoved, float64(s.cache.Moved), l...)
		}
	}
	gauge(to, domainCount, float64(len(all)))
	gauge(to, domainOverflow, float64(left))
}

// plus is the sum of what is known.
func plus(a, b *time.Duration) *time.Duration {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	sum := *a + *b
	return &sum
}
