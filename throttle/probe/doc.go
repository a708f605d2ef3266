// SPDX-License-Identifier: Apache-2.0

// Package probe measures memory latency where nothing counts it, as on most
// machines. One thread on a CPU of the operator's choice follows a random chain
// of cache lines for some microseconds in every millisecond, and measures the
// time.
//
// By default the buffer is larger than the last-level cache, so that the probe
// measures the time to memory and back. A smaller buffer measures how much of
// the cache remains for a program that uses it rarely.
//
// The probe costs its CPU its duty, at most 1 % by default, which is measured
// too; it costs others the bandwidth of about 70 lines a millisecond. Opening
// it takes about half a second for each gigabyte. It cannot tell which CPU
// causes traffic.
package probe
