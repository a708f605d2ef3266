// SPDX-License-Identifier: Apache-2.0

package grant

import (
	"structs"
	"unsafe"
)

// Requests and structures of <xen/sys/gntdev.h> and <xen/sys/gntalloc.h>.
// testdata/layout.txt has their values from the C compiler.
const (
	ioctlMapGrantRef   = 0x00184700
	ioctlUnmapGrantRef = 0x00104701
	ioctlMapNotify     = 0x00104707
	ioctlGrantCopy     = 0x00104708
	ioctlAllocGref     = 0x00184705
	ioctlDeallocGref   = 0x00104706
	ioctlAllocNotify   = 0x00104707
	notifyClearByte    = 1
	notifySendEvent    = 2
	allocWritable      = 1
	copySourceGref     = 1
	pageSize           = 4096
	mapHeaderSize      = unsafe.Offsetof(mapGrantRef{}.refs)
	allocHeaderSize    = unsafe.Offsetof(allocGref{}.refs)
)

type grantRef struct {
	_     structs.HostLayout
	domid uint32
	ref   uint32
}

// mapGrantRef is followed by count-1 further refs.
type mapGrantRef struct {
	_     structs.HostLayout
	count uint32
	pad   uint32
	index uint64
	refs  [1]grantRef
}

type unmapGrantRef struct {
	_     structs.HostLayout
	index uint64
	count uint32
	pad   uint32
}

// unmapNotify is the same for both devices.
type unmapNotify struct {
	_      structs.HostLayout
	index  uint64
	action uint32
	port   uint32
}

// foreign is the member of the copy's union that names a granted page. The
// other member is a virtual address in the same eight bytes.
type foreign struct {
	_      structs.HostLayout
	ref    uint32
	offset uint16
	domid  uint16
}

// copySegment has the union's members resolved: always from a grant into local
// memory. dest is a real pointer, so that the garbage collector sees it.
type copySegment struct {
	_      structs.HostLayout
	source foreign
	dest   unsafe.Pointer
	len    uint16
	flags  uint16
	status int16
	pad    uint16
}

type grantCopy struct {
	_        structs.HostLayout
	count    uint32
	pad      uint32
	segments *copySegment
}

// allocGref is followed by count-1 further refs.
type allocGref struct {
	_     structs.HostLayout
	domid uint16
	flags uint16
	count uint32
	index uint64
	refs  [1]uint32
	pad   uint32
}

type deallocGref struct {
	_     structs.HostLayout
	index uint64
	count uint32
	pad   uint32
}
