/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cache class follows the call: while a domain that FOLLOWS serves a call,
 * its vCPUs have the class of service of the caller's domain.
 *
 * Xen sets a CPU's class in psr_ctxt_switch_to(), where a hook asks here whose
 * class it is to be. So masks that change, and a class that Xen gives to
 * another domain, count from the next switch, as they do for every domain. The
 * caller's domain is Dom0, which does not end.
 *
 * Locks: vu->class is under the scheduler lock of the CPU where vu is. An entry
 * of vlib_classes is its own CPU's, with interrupts off.
 */
#include <asm/processor.h>
#include <asm/psr.h>

#include "module.h"

struct domain *vlib_classes[NR_CPUS];

static bool __read_mostly forbidden;

struct domain *vlib_class_domain(struct domain *d)
{
    return vlib_classes[smp_processor_id()] ?: d;
}

/* The live patch does not have the hook. */
void vlib_class_forbid(void)
{
    forbidden = true;
}

int vlib_class_may_follow(void)
{
    if ( forbidden )
        return -EOPNOTSUPP;
    return cpu_has_pqe && hardware_domain->arch.psr_cos_ids ? 0 : -ENODEV;
}

void vlib_class_change(struct vlib_unit *vu, struct domain *d)
{
    unsigned int cpu = sched_unit_master(vu->unit);

    vu->class = d;
    if ( curr_on_cpu(cpu) == vu->unit )
        vlib_kick(cpu);
}

/*
 * Xen calls psr_ctxt_switch_to() only where it loads another vCPU's state, which
 * stays loaded while the CPU idles. So a vCPU that is alone on its CPU has the
 * class and the ID that its domain had long ago.
 */
void vlib_class_load(unsigned int cpu, struct vlib_unit *vu)
{
    vu->reload = false;
    vlib_classes[cpu] = vu->class;
    psr_ctxt_switch_to(vu->unit->domain);
}
