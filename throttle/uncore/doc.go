// SPDX-License-Identifier: Apache-2.0

// Package uncore counts memory requests and their time with the counters that
// Intel processors have outside their cores, through perf_event_open: the
// tracker of the memory arbiter (ARB) of client processors, and the tables of
// requests (TOR) of the cache agents (CHA) of servers since Ice Lake. Event
// numbers are Intel's, as in the kernel's lists for perf.
//
// Latency is in cycles of the counting unit's clock, not in nanoseconds. Under a
// hypervisor the kernel shows none of this: [throttle.ErrNoSource]. Needs root or
// CAP_PERFMON.
package uncore
