// SPDX-License-Identifier: Apache-2.0

package grant

//go:generate ../internal/golden/generate.sh testdata/layout.c testdata/layout.txt

import (
	"testing"
	"unsafe"

	"github.com/vlibos/vlibos/internal/golden"
)

func TestLayoutMatchesTheCCompiler(t *testing.T) {
	var (
		r grantRef
		m mapGrantRef
		u unmapGrantRef
		n unmapNotify
		s copySegment
		c grantCopy
		a allocGref
		d deallocGref
	)
	source := unsafe.Offsetof(s.source)
	golden.Check(t, map[string]uint64{
		"IOCTL_GNTDEV_MAP_GRANT_REF":                                              ioctlMapGrantRef,
		"IOCTL_GNTDEV_UNMAP_GRANT_REF":                                            ioctlUnmapGrantRef,
		"IOCTL_GNTDEV_SET_UNMAP_NOTIFY":                                           ioctlMapNotify,
		"IOCTL_GNTDEV_GRANT_COPY":                                                 ioctlGrantCopy,
		"IOCTL_GNTALLOC_ALLOC_GREF":                                               ioctlAllocGref,
		"IOCTL_GNTALLOC_DEALLOC_GREF":                                             ioctlDeallocGref,
		"IOCTL_GNTALLOC_SET_UNMAP_NOTIFY":                                         ioctlAllocNotify,
		"UNMAP_NOTIFY_CLEAR_BYTE":                                                 notifyClearByte,
		"UNMAP_NOTIFY_SEND_EVENT":                                                 notifySendEvent,
		"GNTALLOC_FLAG_WRITABLE":                                                  allocWritable,
		"GNTCOPY_source_gref":                                                     copySourceGref,
		"-GNTST_okay":                                                             uint64(-StatusOkay),
		"-GNTST_general_error":                                                    uint64(-StatusGeneralError),
		"-GNTST_bad_domain":                                                       uint64(-StatusBadDomain),
		"-GNTST_bad_gntref":                                                       uint64(-StatusBadRef),
		"-GNTST_bad_handle":                                                       uint64(-StatusBadHandle),
		"-GNTST_bad_virt_addr":                                                    uint64(-StatusBadVirtAddr),
		"-GNTST_bad_dev_addr":                                                     uint64(-StatusBadDevAddr),
		"-GNTST_no_device_space":                                                  uint64(-StatusNoDeviceSpace),
		"-GNTST_permission_denied":                                                uint64(-StatusPermissionDenied),
		"-GNTST_bad_page":                                                         uint64(-StatusBadPage),
		"-GNTST_bad_copy_arg":                                                     uint64(-StatusBadCopyArg),
		"-GNTST_address_too_big":                                                  uint64(-StatusAddressTooBig),
		"-GNTST_eagain":                                                           uint64(-StatusAgain),
		"-GNTST_no_space":                                                         uint64(-StatusNoSpace),
		"sizeof(struct ioctl_gntdev_grant_ref)":                                   uint64(unsafe.Sizeof(r)),
		"offsetof(struct ioctl_gntdev_grant_ref, domid)":                          uint64(unsafe.Offsetof(r.domid)),
		"offsetof(struct ioctl_gntdev_grant_ref, ref)":                            uint64(unsafe.Offsetof(r.ref)),
		"sizeof(struct ioctl_gntdev_map_grant_ref)":                               uint64(unsafe.Sizeof(m)),
		"offsetof(struct ioctl_gntdev_map_grant_ref, count)":                      uint64(unsafe.Offsetof(m.count)),
		"offsetof(struct ioctl_gntdev_map_grant_ref, index)":                      uint64(unsafe.Offsetof(m.index)),
		"offsetof(struct ioctl_gntdev_map_grant_ref, refs)":                       uint64(unsafe.Offsetof(m.refs)),
		"sizeof(struct ioctl_gntdev_unmap_grant_ref)":                             uint64(unsafe.Sizeof(u)),
		"offsetof(struct ioctl_gntdev_unmap_grant_ref, index)":                    uint64(unsafe.Offsetof(u.index)),
		"offsetof(struct ioctl_gntdev_unmap_grant_ref, count)":                    uint64(unsafe.Offsetof(u.count)),
		"sizeof(struct ioctl_gntdev_unmap_notify)":                                uint64(unsafe.Sizeof(n)),
		"offsetof(struct ioctl_gntdev_unmap_notify, index)":                       uint64(unsafe.Offsetof(n.index)),
		"offsetof(struct ioctl_gntdev_unmap_notify, action)":                      uint64(unsafe.Offsetof(n.action)),
		"offsetof(struct ioctl_gntdev_unmap_notify, event_channel_port)":          uint64(unsafe.Offsetof(n.port)),
		"sizeof(struct ioctl_gntalloc_unmap_notify)":                              uint64(unsafe.Sizeof(n)),
		"offsetof(struct ioctl_gntalloc_unmap_notify, index)":                     uint64(unsafe.Offsetof(n.index)),
		"offsetof(struct ioctl_gntalloc_unmap_notify, action)":                    uint64(unsafe.Offsetof(n.action)),
		"offsetof(struct ioctl_gntalloc_unmap_notify, event_channel_port)":        uint64(unsafe.Offsetof(n.port)),
		"sizeof(struct ioctl_gntdev_grant_copy_segment)":                          uint64(unsafe.Sizeof(s)),
		"offsetof(struct ioctl_gntdev_grant_copy_segment, source.foreign.ref)":    uint64(source + unsafe.Offsetof(s.source.ref)),
		"offsetof(struct ioctl_gntdev_grant_copy_segment, source.foreign.offset)": uint64(source + unsafe.Offsetof(s.source.offset)),
		"offsetof(struct ioctl_gntdev_grant_copy_segment, source.foreign.domid)":  uint64(source + unsafe.Offsetof(s.source.domid)),
		"offsetof(struct ioctl_gntdev_grant_copy_segment, dest.virt)":             uint64(unsafe.Offsetof(s.dest)),
		"offsetof(struct ioctl_gntdev_grant_copy_segment, len)":                   uint64(unsafe.Offsetof(s.len)),
		"offsetof(struct ioctl_gntdev_grant_copy_segment, flags)":                 uint64(unsafe.Offsetof(s.flags)),
		"offsetof(struct ioctl_gntdev_grant_copy_segment, status)":                uint64(unsafe.Offsetof(s.status)),
		"sizeof(struct ioctl_gntdev_grant_copy)":                                  uint64(unsafe.Sizeof(c)),
		"offsetof(struct ioctl_gntdev_grant_copy, count)":                         uint64(unsafe.Offsetof(c.count)),
		"offsetof(struct ioctl_gntdev_grant_copy, segments)":                      uint64(unsafe.Offsetof(c.segments)),
		"sizeof(struct ioctl_gntalloc_alloc_gref)":                                uint64(unsafe.Sizeof(a)),
		"offsetof(struct ioctl_gntalloc_alloc_gref, domid)":                       uint64(unsafe.Offsetof(a.domid)),
		"offsetof(struct ioctl_gntalloc_alloc_gref, flags)":                       uint64(unsafe.Offsetof(a.flags)),
		"offsetof(struct ioctl_gntalloc_alloc_gref, count)":                       uint64(unsafe.Offsetof(a.count)),
		"offsetof(struct ioctl_gntalloc_alloc_gref, index)":                       uint64(unsafe.Offsetof(a.index)),
		"offsetof(struct ioctl_gntalloc_alloc_gref, gref_ids)":                    uint64(unsafe.Offsetof(a.refs)),
		"sizeof(struct ioctl_gntalloc_dealloc_gref)":                              uint64(unsafe.Sizeof(d)),
		"offsetof(struct ioctl_gntalloc_dealloc_gref, index)":                     uint64(unsafe.Offsetof(d.index)),
		"offsetof(struct ioctl_gntalloc_dealloc_gref, count)":                     uint64(unsafe.Offsetof(d.count)),
	})
}
