// SPDX-License-Identifier: Apache-2.0

package xenctl

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Allocation is one of the values of Intel's platform shared resources that Xen
// has for each domain and socket. Domains with equal values share a class of
// service; Xen numbers the classes itself.
type Allocation int

// The allocations. L3Mask is for caches that are not split, L3Code and L3Data
// for those that are (CDP). On a split cache L3Mask sets both.
const (
	L3Mask Allocation = iota
	L3Code
	L3Data
	L2Mask
	Throttle // of memory bandwidth: per cent taken away, if it is linear
)

var allocationCommands = [...]struct {
	set, get uint32 // XEN_DOMCTL_PSR_*
	name     string
}{
	L3Mask:   {0, 1, "L3 mask"},
	L3Code:   {2, 4, "L3 code mask"},
	L3Data:   {3, 5, "L3 data mask"},
	L2Mask:   {6, 7, "L2 mask"},
	Throttle: {8, 9, "bandwidth throttle"},
}

func (a Allocation) String() string { return allocationCommands[a].name }

// CacheInfo is the part of a cache that can be allocated.
type CacheInfo struct {
	Bits    int  // of a mask; each stands for an equal part of the cache
	Classes int  // in addition to the one in which domains start
	CDP     bool // code and data have separate masks
}

// BandwidthInfo is the memory bandwidth that can be allocated.
type BandwidthInfo struct {
	Most    int // largest throttle
	Classes int // in addition to the one in which domains start
	Linear  bool
}

// L3Info returns the allocation of a socket's L3 cache. Errors:
// [ErrNotSupported], and unix.ERANGE if there is no such socket.
func (h *Handle) L3Info(socket int) (CacheInfo, error) { return h.cacheInfo(psrL3Info, "L3", socket) }

// L2Info is L3Info for the L2 caches.
func (h *Handle) L2Info(socket int) (CacheInfo, error) { return h.cacheInfo(psrL2Info, "L2", socket) }

func (h *Handle) cacheInfo(cmd uint32, name string, socket int) (CacheInfo, error) {
	u, err := h.psrInfo(cmd, socket)
	return CacheInfo{Bits: int(u.most), Classes: int(u.classes), CDP: u.flags&psrL3CDP != 0},
		opError(fmt.Sprintf("ask how to allocate the %s cache of socket %d", name, socket), err)
}

// BandwidthInfo returns the allocation of a socket's memory bandwidth. Errors
// are those of L3Info.
func (h *Handle) BandwidthInfo(socket int) (BandwidthInfo, error) {
	u, err := h.psrInfo(psrMBAInfo, socket)
	return BandwidthInfo{Most: int(u.most), Classes: int(u.classes), Linear: u.flags&psrMBALinear != 0},
		opError(fmt.Sprintf("ask how to allocate the memory bandwidth of socket %d", socket), err)
}

func (h *Handle) psrInfo(cmd uint32, socket int) (info psrInfo, err error) {
	err = sysctlOf(h, sysctlPSRAlloc, func(u *psrInfo, _ *buffer, ask func() error) error {
		u.cmd, u.target = cmd, uint32(socket)
		if err := ask(); err != nil {
			return err
		}
		info = *u
		return nil
	})
	return info, err
}

// Allocation returns a domain's value on a socket. [ErrNotSupported]: the
// processor has no such value. unix.EINVAL: L3Mask with CDP.
func (h *Handle) Allocation(domid uint16, socket int, a Allocation) (uint64, error) {
	v, err := h.allocation(domid, psrAlloc{cmd: allocationCommands[a].get, target: uint32(socket)})
	return v, opError(fmt.Sprintf("look up the %v of domain %d on socket %d", a, domid, socket), err)
}

// SetAllocation sets a domain's value on a socket: a mask of contiguous bits,
// or a throttle, which Xen rounds down to a possible value. It holds after
// [Handle.Reload]. After an error the old value is in force. [ErrNoClass]: too many
// different values are in use. unix.EINVAL: the processor has no such value.
func (h *Handle) SetAllocation(domid uint16, socket int, a Allocation, v uint64) error {
	_, err := h.allocation(domid, psrAlloc{cmd: allocationCommands[a].set, target: uint32(socket), data: v})
	if errors.Is(err, unix.EOVERFLOW) {
		err = fmt.Errorf("%w (%w)", ErrNoClass, err)
	}
	return opError(fmt.Sprintf("set the %v of domain %d on socket %d to %#x", a, domid, socket, v), err)
}

func (h *Handle) allocation(domid uint16, a psrAlloc) (uint64, error) {
	var u getDomainInfo
	op := (*psrAlloc)(unsafe.Pointer(&u)) // another member of the union
	*op = a
	u, err := h.domctl(domctlPSRAlloc, domid, u)
	return op.data, err
}
