// SPDX-License-Identifier: Apache-2.0

package vlibcall

// pause is what a spinner does between two looks at a word that the peer
// writes: it gives the core's other thread, or another virtual CPU, a chance,
// and does not pull the line away while the peer is still writing to it.
// PAUSE takes 140 cycles since Skylake, about as long as a cache line takes
// from core to core.
//
// It prefetches the line of next, which the caller will read when the look
// succeeds: the two lines then come together and not one after the other.
//
//go:noescape
func pause(next *byte)
