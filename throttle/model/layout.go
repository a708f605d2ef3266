// SPDX-License-Identifier: Apache-2.0

package model

import (
	"structs"
	"sync/atomic"
	"time"
)

// The layout of the shared file, as docs/contended.md has it. The emulator's
// side is lab/membus/plugin/layout.h.
const (
	magic   = 0x0073754262694c76 // "vLibBus", in memory order
	version = 1
	maxCPUs = 64

	// Bytes is the size of the whole.
	Bytes = 8192
	// MaxService is the longest turn on the bus that the model takes.
	MaxService = time.Millisecond
)

// header is at the file's beginning.
type header struct {
	_            structs.HostLayout
	magic        atomic.Uint64 // written last
	version      uint32
	cpus         uint32 // records that are in use
	lineBytes    uint32
	privateBytes uint32
	sharedBytes  uint32
	sharedWays   uint32
	_            [4]uint64
	service      atomic.Uint64 // ns a turn lasts; 0: nothing is modelled. Ours to write
	_            [503]uint64
}

// record is what is counted of a CPU; one follows the other behind the header.
type record struct {
	_         structs.HostLayout
	accesses  atomic.Uint64
	misses    atomic.Uint64
	requests  atomic.Uint64
	occupancy atomic.Uint64 // ns
	late      atomic.Uint64 // ns
	_         [3]uint64
}

type layout struct {
	_ structs.HostLayout
	header
	cpu [maxCPUs]record
}
