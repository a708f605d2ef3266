// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"structs"
	"sync/atomic"
	"unsafe"
)

// A book's file: a page that describes it, then records. A record below
// header.used is complete but for its counters, which continue to grow. The
// first one, Other, always exists.
const (
	magic    = 0x314b4f4f42424c56 // "VLBBOOK1", as a little-endian machine writes it
	revision = 1
	page     = 4096
	// capacity in records. Calls that come when all are in use are counted in
	// the first.
	capacity = 64
	// maxName is vlibcall's, and a file name's.
	maxName = 255

	recordSize = int(unsafe.Sizeof(record{}))
	fileSize   = page + capacity*recordSize
)

type header struct {
	_        structs.HostLayout
	magic    uint64
	revision uint32
	size     uint32        // of a record
	used     atomic.Uint64 // records, published when complete
}

type record struct {
	_        structs.HostLayout
	uid      uint32
	_        uint32
	comm     [16]byte // strings end at the first NUL
	domain   [maxName + 1]byte
	name     [maxName + 1]byte
	library  [maxName + 1]byte
	function [maxName + 1]byte
	words    words
	_        [40]byte // pads to a whole number of cache lines
}

// words are all counters of a record: the buckets for wall, queued and CPU
// time, then sums. CPU time has a sum for foreground and one for background.
type words [wordCount]atomic.Uint64

const (
	wallAt        = 0
	queuedAt      = wallAt + buckets
	cpuAt         = queuedAt + buckets
	wallSumAt     = cpuAt + buckets
	queuedSumAt   = wallSumAt + 1
	foregroundAt  = queuedSumAt + 1
	backgroundAt  = foregroundAt + 1
	throttledAt   = backgroundAt + 1
	deschedulesAt = throttledAt + 1
	errorsAt      = deschedulesAt + 1
	wordCount     = errorsAt + len(kinds)
)

// headerOf and recordOf interpret a mapped book. The memory is fileSize bytes.
func headerOf(mem []byte) *header { return (*header)(unsafe.Pointer(&mem[:page][0])) }

func recordOf(mem []byte, i int) *record {
	at := offsetOf(i)
	return (*record)(unsafe.Pointer(&mem[at : at+recordSize][0]))
}

func offsetOf(i int) int { return page + i*recordSize }
