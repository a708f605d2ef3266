/* SPDX-License-Identifier: Apache-2.0 */
/* Prints sizes, offsets and request numbers of Linux's grant devices. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/sys/gntdev.h>
#include <xen/sys/gntalloc.h>

#define SIZE(t) printf("sizeof(%s) %zu\n", #t, sizeof(t))
#define OFFSET(t, f) printf("offsetof(%s, %s) %zu\n", #t, #f, offsetof(t, f))
#define VALUE(v) printf("%s %llu\n", #v, (unsigned long long)(v))
#define NEGATIVE(v) printf("-%s %d\n", #v, -(v))

int main(void)
{
    VALUE(IOCTL_GNTDEV_MAP_GRANT_REF);
    VALUE(IOCTL_GNTDEV_UNMAP_GRANT_REF);
    VALUE(IOCTL_GNTDEV_SET_UNMAP_NOTIFY);
    VALUE(IOCTL_GNTDEV_GRANT_COPY);
    VALUE(IOCTL_GNTALLOC_ALLOC_GREF);
    VALUE(IOCTL_GNTALLOC_DEALLOC_GREF);
    VALUE(IOCTL_GNTALLOC_SET_UNMAP_NOTIFY);
    VALUE(UNMAP_NOTIFY_CLEAR_BYTE);
    VALUE(UNMAP_NOTIFY_SEND_EVENT);
    VALUE(GNTALLOC_FLAG_WRITABLE);
    VALUE(GNTCOPY_source_gref);
    NEGATIVE(GNTST_okay);
    NEGATIVE(GNTST_general_error);
    NEGATIVE(GNTST_bad_domain);
    NEGATIVE(GNTST_bad_gntref);
    NEGATIVE(GNTST_bad_handle);
    NEGATIVE(GNTST_bad_virt_addr);
    NEGATIVE(GNTST_bad_dev_addr);
    NEGATIVE(GNTST_no_device_space);
    NEGATIVE(GNTST_permission_denied);
    NEGATIVE(GNTST_bad_page);
    NEGATIVE(GNTST_bad_copy_arg);
    NEGATIVE(GNTST_address_too_big);
    NEGATIVE(GNTST_eagain);
    NEGATIVE(GNTST_no_space);
    SIZE(struct ioctl_gntdev_grant_ref);
    OFFSET(struct ioctl_gntdev_grant_ref, domid);
    OFFSET(struct ioctl_gntdev_grant_ref, ref);
    SIZE(struct ioctl_gntdev_map_grant_ref);
    OFFSET(struct ioctl_gntdev_map_grant_ref, count);
    OFFSET(struct ioctl_gntdev_map_grant_ref, index);
    OFFSET(struct ioctl_gntdev_map_grant_ref, refs);
    SIZE(struct ioctl_gntdev_unmap_grant_ref);
    OFFSET(struct ioctl_gntdev_unmap_grant_ref, index);
    OFFSET(struct ioctl_gntdev_unmap_grant_ref, count);
    SIZE(struct ioctl_gntdev_unmap_notify);
    OFFSET(struct ioctl_gntdev_unmap_notify, index);
    OFFSET(struct ioctl_gntdev_unmap_notify, action);
    OFFSET(struct ioctl_gntdev_unmap_notify, event_channel_port);
    SIZE(struct ioctl_gntdev_grant_copy_segment);
    OFFSET(struct ioctl_gntdev_grant_copy_segment, source.foreign.ref);
    OFFSET(struct ioctl_gntdev_grant_copy_segment, source.foreign.offset);
    OFFSET(struct ioctl_gntdev_grant_copy_segment, source.foreign.domid);
    OFFSET(struct ioctl_gntdev_grant_copy_segment, dest.virt);
    OFFSET(struct ioctl_gntdev_grant_copy_segment, len);
    OFFSET(struct ioctl_gntdev_grant_copy_segment, flags);
    OFFSET(struct ioctl_gntdev_grant_copy_segment, status);
    SIZE(struct ioctl_gntdev_grant_copy);
    OFFSET(struct ioctl_gntdev_grant_copy, count);
    OFFSET(struct ioctl_gntdev_grant_copy, segments);
    SIZE(struct ioctl_gntalloc_alloc_gref);
    OFFSET(struct ioctl_gntalloc_alloc_gref, domid);
    OFFSET(struct ioctl_gntalloc_alloc_gref, flags);
    OFFSET(struct ioctl_gntalloc_alloc_gref, count);
    OFFSET(struct ioctl_gntalloc_alloc_gref, index);
    OFFSET(struct ioctl_gntalloc_alloc_gref, gref_ids);
    SIZE(struct ioctl_gntalloc_dealloc_gref);
    OFFSET(struct ioctl_gntalloc_dealloc_gref, index);
    OFFSET(struct ioctl_gntalloc_dealloc_gref, count);
    SIZE(struct ioctl_gntalloc_unmap_notify);
    OFFSET(struct ioctl_gntalloc_unmap_notify, index);
    OFFSET(struct ioctl_gntalloc_unmap_notify, action);
    OFFSET(struct ioctl_gntalloc_unmap_notify, event_channel_port);
    return 0;
}
