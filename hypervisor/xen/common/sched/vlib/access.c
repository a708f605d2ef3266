/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Permissions: XSM's answer for control domains, and the answer for user mode.
 */
#include "compat.h"

bool vlib_user_cmd(unsigned long cmd)
{
    const struct vlib_domain *vd;
    bool may;

    if ( cmd != VLIB_OP_listen && cmd != VLIB_OP_complete )
        return cmd == VLIB_OP_version;
    spin_lock(&vlib_lock);
    vd = vlib_domain_find(current->domain);
    may = vd && (vd->flags & VLIB_DOMAIN_user_mode);
    spin_unlock(&vlib_lock);
    return may;
}

/* XSM is asked as for Xen's own schedulers. */
int vlib_may_control_host(bool change)
{
    return vlib_xsm_sysctl(change ? XEN_SYSCTL_SCHEDOP_putinfo
                                  : XEN_SYSCTL_SCHEDOP_getinfo);
}

int vlib_may_control(struct domain *d, bool change)
{
    return vlib_xsm_domctl(d, change ? XEN_DOMCTL_SCHEDOP_putinfo
                                     : XEN_DOMCTL_SCHEDOP_getinfo);
}
