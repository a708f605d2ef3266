// SPDX-License-Identifier: Apache-2.0

package vlibcall

// pause is called between two reads of a word that the peer writes. It lets the
// core's other thread, or another virtual CPU, run, and does not take the line
// away while the peer is still writing to it. PAUSE takes 140 cycles since
// Skylake, about as long as a cache line takes from core to core.
//
// It prefetches the line of next, which the caller will read after a successful
// read: so the two lines arrive together and not one after the other.
//
//go:noescape
func pause(next *byte)
