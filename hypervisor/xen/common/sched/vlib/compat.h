/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Xen's internal interfaces that differ between 4.17 and 4.22. The hooks have
 * what differs in Xen's own files. The test harness has the older interfaces.
 */
#ifndef VLIB_COMPAT_H
#define VLIB_COMPAT_H

/*
 * Since 4.17.7, 4.18.6, 4.19.6, 4.20.4, 4.21.2 and 4.22 XSM gets the whole
 * operation, before that only its number.
 * The Makefile looks into xsm.h: no macro of Xen tells them apart.
 */
#ifdef VLIB_XSM_TAKES_OPERATION
static inline int vlib_xsm_sysctl(uint32_t cmd)
{
    const struct xen_sysctl op = { .cmd = cmd };

    return xsm_sysctl(XSM_PRIV, &op);
}

static inline int vlib_xsm_domctl(struct domain *d, uint32_t cmd)
{
    struct xen_domctl op = { .cmd = cmd, .domain = d->domain_id };

    return xsm_domctl(XSM_OTHER, d, &op);
}
#else
#define vlib_xsm_sysctl(cmd) xsm_sysctl(XSM_PRIV, cmd)
#define vlib_xsm_domctl(d, cmd) xsm_domctl(XSM_OTHER, d, cmd, 0)
#endif

/* Since 4.21 it is a function, which takes an address. */
#ifdef rdmsr_safe
#define vlib_rdmsr_safe(msr, value) rdmsr_safe(msr, *(value))
#else
#define vlib_rdmsr_safe(msr, value) rdmsr_safe(msr, value)
#endif

#endif /* VLIB_COMPAT_H */
