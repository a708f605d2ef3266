/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Xen's internal interfaces that differ between 4.17 and 4.22. The hooks have
 * what differs in Xen's own files. The test harness has the older interfaces.
 */
#ifndef VLIB_COMPAT_H
#define VLIB_COMPAT_H

#include "module.h"

/*
 * XSM's answer to an operation on schedulers. Since 4.17.7, 4.18.6, 4.19.6,
 * 4.20.4, 4.21.2 and 4.22 XSM gets the whole operation, and answers once.
 * Before, it gets the number, and is asked in two steps: Flask allows
 * everything in the first one and decides in the second; without Flask the
 * first one decides. The Makefile looks into xsm.h: no macro of Xen tells them
 * apart.
 */
#ifdef VLIB_XSM_TAKES_OPERATION
static inline int vlib_xsm_sysctl(uint32_t cmd)
{
    const struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_scheduler_op,
        .u.scheduler_op.cmd = cmd,
    };

    return xsm_sysctl(XSM_PRIV, &op);
}

static inline int vlib_xsm_domctl(struct domain *d, uint32_t cmd)
{
    struct xen_domctl op = {
        .cmd = XEN_DOMCTL_scheduler_op,
        .domain = d->domain_id,
        .u.scheduler_op.cmd = cmd,
    };

    return xsm_domctl(XSM_OTHER, d, &op);
}
#else
static inline int vlib_xsm_sysctl(uint32_t cmd)
{
    return xsm_sysctl(XSM_PRIV, XEN_SYSCTL_scheduler_op) ?:
           xsm_sysctl_scheduler_op(XSM_HOOK, cmd);
}

static inline int vlib_xsm_domctl(struct domain *d, uint32_t cmd)
{
    return xsm_domctl(XSM_OTHER, d, XEN_DOMCTL_scheduler_op, 0) ?:
           xsm_domctl_scheduler_op(XSM_HOOK, d, cmd);
}
#endif

/* Since 4.21 it is a function, which takes an address. */
#ifdef rdmsr_safe
#define vlib_rdmsr_safe(msr, value) rdmsr_safe(msr, *(value))
#else
#define vlib_rdmsr_safe(msr, value) rdmsr_safe(msr, value)
#endif

#endif /* VLIB_COMPAT_H */
