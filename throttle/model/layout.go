// SPDX-License-Identifier: Apache-2.0

package model

import (
	"structs"
	"sync/atomic"
	"time"
)

// The layout of the shared file, from docs/reference/lab-bus.md. The emulator's
// side is lab/membus/plugin/layout.h.
const (
	magic   = 0x0073754262694c76 // "vLibBus", in memory order
	version = 1
	maxCPUs = 64

	// Bytes is the size of the file.
	Bytes = 8192
	// MaxService is the longest time of a turn that the model accepts.
	MaxService = time.Millisecond
)

// header is at the beginning of the file.
type header struct {
	_            structs.HostLayout
	magic        atomic.Uint64 // written last
	version      uint32
	cpus         uint32 // records in use
	lineBytes    uint32
	privateBytes uint32
	sharedBytes  uint32
	sharedWays   uint32
	_            [4]uint64
	service      atomic.Uint64 // ns of a turn; 0: nothing is modelled. Written by this side
	_            [503]uint64
}

// record has the counters of a CPU; records follow the header.
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
