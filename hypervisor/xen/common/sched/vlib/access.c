/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Permissions: XSM's answer for control domains, and the answer for user mode.
 */
#include "compat.h"
#include "module.h"

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

/*
 * Asks XSM in two steps, as Xen does for its own schedulers: Flask allows
 * everything in the first step and decides in the second. Without Flask the
 * first step decides.
 */
int vlib_may_control_host(bool change)
{
    int rc = vlib_xsm_sysctl(XEN_SYSCTL_scheduler_op);

    return rc ?: xsm_sysctl_scheduler_op(XSM_HOOK,
                                         change ? XEN_SYSCTL_SCHEDOP_putinfo
                                                : XEN_SYSCTL_SCHEDOP_getinfo);
}

int vlib_may_control(struct domain *d, bool change)
{
    int rc = vlib_xsm_domctl(d, XEN_DOMCTL_scheduler_op);

    return rc ?: xsm_domctl_scheduler_op(XSM_HOOK, d,
                                         change ? XEN_DOMCTL_SCHEDOP_putinfo
                                                : XEN_DOMCTL_SCHEDOP_getinfo);
}
