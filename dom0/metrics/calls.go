// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vlibos/vlibos/vlibcall/receipt"
)

var callLabels = []string{"uid", "comm", "uuid", "name", "library", "function"}

var (
	callDuration = describe("call_duration_seconds", "Duration of calls, as their callers measured it.", callLabels...)
	callCPU      = describe("call_cpu_seconds", "CPU time that paid calls used in the domain.", callLabels...)
	callQueued   = describe("call_queued_seconds", "How long paid calls waited before the domain began.", callLabels...)

	callForeground  = describe("call_foreground_seconds_total", "CPU time of paid calls on the budget of their reservation.", callLabels...)
	callBackground  = describe("call_background_seconds_total", "CPU time of paid calls beyond the budget.", callLabels...)
	callThrottled   = describe("call_throttled_seconds_total", "Time in which paid calls could have run in background, but were throttled.", callLabels...)
	callDeschedules = describe("call_deschedules_total", "How often the domain was taken off a CPU in a paid call while it was runnable.", callLabels...)
	callErrors      = describe("call_errors_total", "Calls that failed, by kind; kinds without a failure are missing.", append(callLabels, "kind")...)

	books         = describe("receipt_books", "Processes that record their calls now.")
	booksRejected = describe("receipt_books_rejected_total", "Files that were not receipts, or were damaged: their calls are not counted.")
	overflow      = describe("receipt_overflow", "Whether there were more callers and functions than have series of their own; the rest is counted as (other).")
)

var callDescs = []*prometheus.Desc{callDuration, callCPU, callQueued, callForeground, callBackground, callThrottled, callDeschedules, callErrors,
	books, booksRejected, overflow}

// Buckets are from 1.024 µs to 68.7 s, each twice the one before it. Receipts
// have these edges too, so that counts are exact.
const firstPower, lastPower = 10, 36

func collectCalls(to chan<- prometheus.Metric, all []receipt.Account, h receipt.Health) {
	gauge(to, books, float64(h.Books))
	counter(to, booksRejected, float64(h.Rejected))
	gauge(to, overflow, truth(h.Overflow))
	for _, a := range all {
		labels := clean([]string{strconv.FormatUint(uint64(a.UID), 10), a.Comm, a.Domain, a.Name, a.Library, a.Function})
		histogram(to, callDuration, &a.Wall, labels)
		for kind, n := range a.Errors {
			counter(to, callErrors, float64(n), append(labels[:len(labels):len(labels)], kind)...)
		}
		if a.CPU.Count() == 0 {
			continue // no call had a reservation
		}
		histogram(to, callCPU, &a.CPU, labels)
		histogram(to, callQueued, &a.Queued, labels)
		counter(to, callForeground, a.Foreground.Seconds(), labels...)
		counter(to, callBackground, a.Background.Seconds(), labels...)
		counter(to, callThrottled, a.Throttled.Seconds(), labels...)
		counter(to, callDeschedules, float64(a.Deschedules), labels...)
	}
}

func histogram(to chan<- prometheus.Metric, d *prometheus.Desc, h *receipt.Histogram, labels []string) {
	buckets := make(map[float64]uint64, lastPower-firstPower+1)
	for power := firstPower; power <= lastPower; power++ {
		buckets[float64(uint64(1)<<power)/1e9] = h.Below(power)
	}
	to <- prometheus.MustNewConstHistogram(d, h.Count(), h.Sum.Seconds(), buckets, labels...)
}
