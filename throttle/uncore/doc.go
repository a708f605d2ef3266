// SPDX-License-Identifier: Apache-2.0

// Package uncore counts memory requests and their time with the counters that
// Intel processors have outside of their cores, through perf_event_open: the
// tracker of the memory arbiter (ARB) of client processors, and the tables of
// requests (TOR) of the cache agents (CHA) of servers since Ice Lake. Event
// numbers are Intel's, from the kernel's lists for perf.
//
// Latency is in cycles of the counting unit's clock, not in nanoseconds. Under
// a hypervisor the kernel offers none of these: the error is
// [throttle.ErrNoSource]. It needs root or CAP_PERFMON.
package uncore
