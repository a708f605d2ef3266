// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// request is one hypercall.
type request struct {
	cmd, a1, a2, a3, a4 uint64
	mem                 []byte // in a buffer, whose address replaces a3
}

func (r request) String() string {
	return fmt.Sprintf("vlib_op(%d, %#x, %#x, %#x, %#x) with %x", r.cmd, r.a1, r.a2, r.a3, r.a4, r.mem)
}

// generator makes requests that are sometimes right, and mostly nearly right.
type generator struct {
	*rand.Rand
	cmds    []uint64
	domids  []uint32 // of domains that exist
	ports   map[uint32]uint32
	invalid []uint64 // addresses that Xen must refuse
}

func newGenerator(seed uint64, domids []uint32, ports map[uint32]uint32, invalid []uint64) *generator {
	return &generator{
		Rand: rand.New(rand.NewPCG(seed, 0)), cmds: slices.Sorted(maps.Keys(operations)),
		domids: domids, ports: ports, invalid: invalid,
	}
}

func one[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

// odd is a number at which something may break.
func (g *generator) odd() uint64 {
	switch g.IntN(4) {
	case 0:
		return g.Uint64() >> g.IntN(64)
	case 1:
		return uint64(g.IntN(20))
	}
	return one[uint64](g, 19_999, 20_000, 199_999, 200_000, 1e6, 1e7, 1e9, 1e10, 1e10+1, 3.6e12, 3.6e12+1,
		1<<31-1, 1<<31, 1<<32-1, 1<<32, 1<<32+1, 1<<63-1, 1<<63, ^uint64(0)-1, ^uint64(0))
}

func (g *generator) id() uint32 {
	switch g.IntN(20) {
	case 0:
		return uint32(g.odd())
	case 1:
		return one[uint32](g, 0, MaxReservations-1, MaxReservations)
	}
	return 1 + uint32(g.IntN(12))
}

func (g *generator) domid() uint32 {
	switch g.IntN(20) {
	case 0:
		return uint32(g.odd())
	case 1: // reserved numbers, and one that only looks like a domain's
		return one[uint32](g, 0x7ff0, 0x7ff1, 0x7fff, 0x10000, 0x10001, 999)
	}
	return one(g, g.domids...)
}

func (g *generator) cpu() uint32 {
	if g.IntN(10) == 0 {
		return uint32(g.odd())
	}
	return uint32(g.IntN(3))
}

// period and budget make all kinds of shares, up to more than one CPU.
func (g *generator) period() uint64 {
	if g.IntN(20) == 0 {
		return g.odd()
	}
	return one[uint64](g, 200_000, 1e6, 5e6, 1e7, 1e8, 1e9, 1e10)
}

func (g *generator) budget(period uint64) uint64 {
	if g.IntN(20) == 0 {
		return g.odd()
	}
	return max(20_000, period/one[uint64](g, 1, 2, 4, 10, 100, 1000))
}

func (g *generator) timeout() uint64 {
	if g.IntN(10) == 0 {
		return g.odd()
	}
	return uint64(g.Int64N(int64(20 * time.Millisecond)))
}

// port is a domain's number and an event channel that may lead to it.
func (g *generator) port() uint64 {
	domid := g.domid()
	port := g.ports[domid]
	if g.IntN(20) == 0 {
		port = uint32(g.odd())
	}
	return uint64(domid)<<32 | uint64(port)
}

// number is the number of a request, mostly one of few.
func (g *generator) number() uint64 {
	if g.IntN(20) == 0 {
		return g.odd()
	}
	return uint64(g.IntN(5))
}

func (g *generator) version() uint32 {
	if g.IntN(50) == 0 {
		return uint32(g.odd())
	}
	return abiVersion
}

func bytesOf[T any](s T) []byte {
	return slices.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&s)), unsafe.Sizeof(s)))
}

// next is the next request.
func (g *generator) next() request {
	if g.IntN(10) == 0 {
		return g.garbage()
	}
	cmd := one(g, g.cmds...)
	if g.IntN(3) == 0 { // the purpose of the other requests
		cmd = one[uint64](g, opCall, opCall, opAllow, opReserve, opDomain)
	}
	r := g.plausible(cmd)
	if r.mem != nil && g.IntN(20) == 0 {
		r.mem, r.a3 = nil, one(g, g.invalid...)
	}
	return r
}

// servers is mostly the number that every domain has vCPUs for.
func (g *generator) servers() uint32 {
	if g.IntN(10) > 0 {
		return 1
	}
	return one[uint32](g, 0, 2, 4, MaxServers, MaxServers+1)
}

func (g *generator) garbage() request {
	r := request{cmd: one(g, g.cmds...), a1: g.odd(), a2: g.odd(), a3: g.odd(), a4: g.odd()}
	if g.IntN(3) == 0 {
		r.cmd = one[uint64](g, 9, 15, 23, 31, 36, 63, 255, 256, 1<<32|opInfo, g.odd()|1<<20)
	}
	if operations[r.cmd].size == 0 && r.cmd < 16 {
		return r // a3 is not an address here
	}
	r.mem = make([]byte, 256)
	for i := range r.mem {
		r.mem[i] = byte(g.Uint32())
	}
	*(*uint32)(unsafe.Pointer(&r.mem[0])) = g.version()
	return r
}

func (g *generator) plausible(cmd uint64) request {
	r := request{cmd: cmd}
	switch cmd {
	case opListen, opComplete:
		r.a1, r.a2, r.a3 = uint64(g.IntN(30)), uint64(g.IntN(4)), g.number()
	case opCall:
		r.a1, r.a2, r.a3, r.a4 = g.port(), uint64(min(g.id(), g.id())), g.timeout(), g.number()
		if g.IntN(16) == 0 {
			r.a2 |= callWait
		}
	case opCancel, opFinish:
		r.a1, r.a2, r.a3 = g.port(), uint64(min(g.id(), g.id())), g.number()
	case opHold:
		r.a1, r.a2, r.a3 = uint64(g.domid()), uint64(g.IntN(2)*g.IntN(1000)), g.timeout()
	case opLease: // a lost lease hides most faults
		if g.IntN(10) == 0 {
			r.a1 = g.timeout()
		}
	case opCharge:
		r.a1, r.a2 = uint64(g.id()), g.timeout()
	case opInfo:
		r.mem = bytesOf(rawInfo{version: g.version()})
	case opReserve:
		period := g.period()
		r.mem = bytesOf(rawReserve{version: g.version(), id: g.id(), period: period, budget: g.budget(period), servers: g.servers()})
	case opUnreserve: // mostly reservations that were not made for calls
		r.mem = bytesOf(rawReserve{version: g.version(), id: max(g.id(), g.id())})
	case opAdopt:
		r.mem = bytesOf(rawBind{version: g.version(), id: max(g.id(), g.id()), domid: g.domid(), flags: uint32(g.IntN(2))})
	case opAllow:
		r.mem = bytesOf(rawBind{version: g.version(), id: min(g.id(), g.id()), domid: g.domid(), flags: uint32(g.IntN(8) / 7)})
	case opDomain:
		set, clear := uint32(Listens|UserMode)|uint32(g.IntN(16)), uint32(g.IntN(16))
		if g.IntN(10) > 0 {
			set &= uint32(g.IntN(16)) | uint32(Listens|UserMode)
			clear &^= set
		}
		if g.IntN(4) == 0 { // refused where there are no classes
			set |= uint32(Follows)
		}
		r.mem = bytesOf(rawDomctl{version: g.version(), domid: g.domid(), set: set, clear: clear})
	case opThrottle:
		period := g.period()
		r.mem = bytesOf(rawThrottle{version: g.version(), cpu: g.cpu(), period: period, idle: period / one[uint64](g, 1, 2, 10, 1e11)})
	case opGetReservation:
		r.mem = bytesOf(rawReservation{version: g.version(), id: g.id()})
	case opGetServer:
		r.mem = bytesOf(rawServer{version: g.version(), id: g.id(), server: uint32(g.IntN(4))})
	case opGetDomain:
		r.mem = bytesOf(rawDomain{version: g.version(), domid: g.domid()})
	case opGetUse:
		r.mem = bytesOf(rawUse{version: g.version(), domid: g.domid()})
	case opGetCPU:
		r.mem = bytesOf(rawCPU{version: g.version(), cpu: g.cpu()})
	case opGetCounters:
		r.mem = bytesOf(rawCounters{version: g.version(), cpu: g.cpu()})
	}
	return r
}

// badAddresses are addresses at which Xen can read or write no structure. They
// include Xen's own memory, and none of this kernel's: the kernel makes the
// hypercall, and Xen would obey.
func badAddresses() ([]uint64, error) {
	const page = 4096
	mem, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_POPULATE)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(mem); i += 4 {
		mem[i] = abiVersion
	}
	if err := unix.Mprotect(mem[page:2*page], unix.PROT_NONE); err != nil {
		return nil, err
	}
	if err := unix.Mprotect(mem[2*page:], unix.PROT_READ); err != nil {
		return nil, err
	}
	at := func(offset int) uint64 { return uint64(uintptr(unsafe.Pointer(&mem[0]))) + uint64(offset) }
	return []uint64{
		0, 1, at(page - 8), at(page), at(2 * page), at(3*page - 8),
		0x7fff_ffff_f000, 0x8000_0000_0000, 1 << 63, // the end of user space, and invalid addresses
		0xffff_8000_0000_0000, 0xffff_8300_0000_0000, 0xffff_82d0_4020_0000, // Xen's
		^uint64(7),
	}, nil
}
