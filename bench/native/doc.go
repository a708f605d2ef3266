// SPDX-License-Identifier: Apache-2.0

// Package native measures calls between two processes of this machine, each
// pinned to a core of its own, against the least that the same two cores can
// do: a cache line that goes to and fro, an eventfd that does, a memcpy.
//
// These are the project's only figures in real time. The machine may be busy:
// everything that is compared is interleaved, a figure is the median over
// small batches, and a ratio the median over repeats.
package native
