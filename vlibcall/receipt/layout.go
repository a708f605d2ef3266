// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"structs"
	"sync/atomic"
	"unsafe"
)

// A book's file: a page that says what it is, then records. A record
// below header.used is complete but for its counters, which continue to grow. The first one, Other, is there from the start.
const (
	magic    = 0x314b4f4f42424c56 // "VLBBOOK1", as a little-endian machine writes it
	revision = 1
	page     = 4096
	// capacity in records. What comes when they are in use is counted in the
	// first.
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
	used     atomic.Uint64 // records, published when they are complete
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
	_        [40]byte // to a whole number of cache lines
}

// words are all counters of a record: for wall, queued and CPU time the buckets,
// then sums. That of CPU time is foreground's and background's.
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

// headerOf and recordOf look at a mapped book. The memory is fileSize bytes.
func headerOf(mem []byte) *header { return (*header)(unsafe.Pointer(&mem[:page][0])) }

func recordOf(mem []byte, i int) *record {
	at := offsetOf(i)
	return (*record)(unsafe.Pointer(&mem[at : at+recordSize][0]))
}

func offsetOf(i int) int { return page + i*recordSize }
