// SPDX-License-Identifier: Apache-2.0

// Package probe measures memory latency where nothing counts it, which is most
// machines: one thread on a CPU of the operator's choice follows a random chain
// of cache lines for some microseconds in every millisecond, and takes the time.
//
// The buffer is larger than the last-level cache by default, so that what is
// measured is the way to memory and back. A smaller one measures what cache is
// left to somebody who uses it rarely.
//
// What it costs its CPU is its duty, at most 1 % by default, and is measured
// too; others lose the bandwidth of about 70 lines a millisecond. Opening it
// takes half a second for each gigabyte or so. It cannot tell who causes traffic.
package probe
