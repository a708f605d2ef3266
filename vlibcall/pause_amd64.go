// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"sync/atomic"
	"unsafe"
)

// pause is called between two reads of a word that the peer writes. It lets the
// core's other thread, or another virtual CPU, run, and does not take the line
// away while the peer is still writing to it. PAUSE takes 140 cycles since
// Skylake, about as long as a cache line takes from core to core.
func pause()

// plainStore stores without the fence of an atomic store, which waits until the
// line has arrived. The next atomic store publishes the word: amd64 does not
// reorder stores, and the Go memory model orders it before that. A hostile peer may
// write to the word at the same time, which is no race of this program.
//
//go:norace
func plainStore(word *atomic.Uint64, v uint64) {
	*(*uint64)(unsafe.Pointer(word)) = v
}
