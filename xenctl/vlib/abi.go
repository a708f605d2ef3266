// SPDX-License-Identifier: Apache-2.0

package vlib

import "structs"

// Numbers and structures of hypervisor/xen/include/public/vlib.h.
// testdata/layout.txt has their values from the C compiler.
const (
	hypercall  = 55
	abiVersion = 4

	opVersion  = 0
	opListen   = 1
	opComplete = 2
	opCall     = 3
	opCancel   = 4
	opHold     = 5
	opLease    = 6
	opCharge   = 7
	opFinish   = 8

	opInfo           = 16
	opReserve        = 17
	opUnreserve      = 18
	opAdopt          = 19
	opAllow          = 20
	opDomain         = 21
	opThrottle       = 22
	opGetReservation = 32
	opGetDomain      = 33
	opGetCPU         = 34
	opGetCounters    = 35
	opGetServer      = 36
	opGetUse         = 37

	featureHost     = 1 << 0
	featureCounters = 1 << 1

	bindRemove = 1 << 0
	noDomain   = 0xffffffff
	noCPU      = 0xffffffff

	memoryOccupied = 1 << 0
	memoryMoved    = 1 << 1

	flagSignal = 1 << 0 // of listen and complete

	callWait = 1 << 31 // of call, beside the reservation

	begunActive = 0 // of call; 2: served already
	begunQueued = 1
)

type rawInfo struct {
	_               structs.HostLayout
	version         uint32
	features        uint32
	module          uint32
	maxReservations uint32
	reservations    uint32
	domains         uint32
	cpus            uint32
	counters        uint32
	lease           uint64
	leasesLost      uint64
	floorBudget     uint64
	floorPeriod     uint64
	slice           uint64
	late            uint64
	moves           uint64
}

type rawReserve struct {
	_        structs.HostLayout
	version  uint32
	id       uint32
	budget   uint64
	period   uint64
	cpu      uint32
	misses   uint32
	response uint64
	servers  uint32
	server   uint32
}

type rawBind struct {
	_        structs.HostLayout
	version  uint32
	id       uint32
	domid    uint32
	flags    uint32
	cpu      uint32
	misses   uint32
	response uint64
	server   uint32
	pad      uint32
}

type rawDomctl struct {
	_       structs.HostLayout
	version uint32
	domid   uint32
	set     uint32
	clear   uint32
}

type rawThrottle struct {
	_       structs.HostLayout
	version uint32
	cpu     uint32
	period  uint64
	idle    uint64
}

type rawCost struct {
	_           structs.HostLayout
	foreground  uint64
	background  uint64
	throttled   uint64
	deschedules uint64
}

type rawMemory struct {
	_        structs.HostLayout
	known    uint32
	pad      uint32
	occupied uint64
	moved    uint64
}

type rawReservation struct {
	_          structs.HostLayout
	version    uint32
	id         uint32
	budget     uint64
	period     uint64
	left       int64
	next       uint64
	refills    uint32
	domid      uint32
	call       uint32
	unadmitted uint32
	total      rawCost
	calls      uint64
	request    uint64
	port       uint32
	servers    uint32
	queued     uint64
	wall       uint64
	cost       rawCost
	memory     rawMemory
}

type rawServer struct {
	_          structs.HostLayout
	version    uint32
	id         uint32
	server     uint32
	vcpus      uint32
	cpu        uint32
	unadmitted uint32
	left       int64
	next       uint64
	total      rawCost
}

type rawDomain struct {
	_           structs.HostLayout
	version     uint32
	domid       uint32
	flags       uint32
	open        uint32
	listening   uint32
	reservation uint32
	queued      uint32
	holds       uint32
	active      uint32
	busy        uint32
	stopped     uint64
	calls       uint64
	total       rawCost
}

type rawUse struct {
	_       structs.HostLayout
	version uint32
	domid   uint32
	vcpus   uint32
	pad     uint32
	waited  uint64
	total   rawCost
}

type rawCPU struct {
	_          structs.HostLayout
	version    uint32
	cpu        uint32
	foreground uint64
	background uint64
	idle       uint64
	denied     uint64
	decisions  uint64
	remote     uint64
	period     uint64
	throttle   uint64
	admitted   uint64
	overrun    uint64
	worst      uint64
}

type rawCounters struct {
	_           structs.HostLayout
	version     uint32
	cpu         uint32
	kind        uint32
	width       uint32
	time        uint64
	requests    uint64
	occupancy   uint64
	misses      uint64
	missesWidth uint32
	pad         uint32
}
