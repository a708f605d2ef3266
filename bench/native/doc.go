// SPDX-License-Identifier: Apache-2.0

// Package native measures calls between two processes of this machine, each
// pinned to a core of its own. It compares them with the least that these two
// cores can do: a round trip of a cache line, a round trip of an eventfd, a
// memcpy.
//
// These are the project's only figures in real time. The machine may be busy:
// all comparisons are interleaved, a figure is the median over small batches,
// and a ratio is the median over repeats.
package native
