/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module offers to the rest of Xen: the hook lines call it. */
#ifndef __XEN_VLIB_H__
#define __XEN_VLIB_H__

#include <xen/time.h>

struct domain;
struct vcpu;

#ifdef CONFIG_SCHED_VLIB

/* A vCPU's system time as it is published to its guest. */
void vlib_publish_time(const struct vcpu *v, uint64_t *system_time);

/* The system time at which a time of the guest's comes; 0 stays 0. */
s_time_t vlib_host_time(const struct vcpu *v, s_time_t guest);

/* The domain whose cache class this CPU is to have, where d runs. */
struct domain *vlib_class_domain(struct domain *d);

/* Sub-operations that a PVH guest's user mode may use: no pointers. */
bool vlib_user_cmd(unsigned long cmd);

#else

static inline void vlib_publish_time(const struct vcpu *v,
                                     uint64_t *system_time)
{
}

static inline s_time_t vlib_host_time(const struct vcpu *v, s_time_t guest)
{
    return guest;
}

static inline struct domain *vlib_class_domain(struct domain *d)
{
    return d;
}

static inline bool vlib_user_cmd(unsigned long cmd)
{
    return false;
}

#endif

#endif /* __XEN_VLIB_H__ */
