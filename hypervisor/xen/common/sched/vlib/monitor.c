/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a domain occupies of the third-level cache at the end of a call, and what
 * it moved between that cache and memory meanwhile. The processor counts both by
 * the monitoring ID that Xen's psr.c gives to a domain (Intel SDM 3, 18.18; AMD
 * APM 2, 19.3).
 *
 * A CPU reads the counters of its own cache. No other CPU is interrupted for
 * it, so they are known only if the CPU on which the call begins, or ends, has
 * its cache in common with all vCPUs of the domain.
 */
#include <asm/msr.h>
#include <asm/processor.h>
#include <asm/psr.h>

#include "compat.h"

/* Events of IA32_QM_EVTSEL. */
#define EVENT_OCCUPIED  1
#define EVENT_MOVED     2

/* Bits of IA32_QM_CTR: no such ID or event; no value now. */
#define NO_VALUE (3ULL << 62)

/* APIC IDs of CPUs with a common cache differ in so many of the lowest bits. */
static unsigned int cache_bits;

static uint64_t counter_mask; /* 0: neither is known yet */

static void identify(void)
{
    unsigned int eax, ebx, ecx, edx;

    cpuid_count(boot_cpu_data.x86_vendor == X86_VENDOR_INTEL ? 4 : 0x8000001d,
                3, &eax, &ebx, &ecx, &edx);
    cache_bits = get_count_order(((eax >> 14) & 0xfff) + 1);
    cpuid_count(0xf, 1, &eax, &ebx, &ecx, &edx);
    counter_mask = ~NO_VALUE >> (38 - min(eax & 0xff, 38U));
}

static unsigned int cache_of(unsigned int cpu)
{
    return cpu_physical_id(cpu) >> cache_bits;
}

/* The ID by which this CPU's cache counts the whole domain; or 0. */
static unsigned int monitored(const struct vlib_domain *vd)
{
    const struct vlib_unit *vu;
    unsigned int here;

    if ( !psr_cmt_enabled() || list_empty(&vd->units) ||
         !vd->domain->arch.psr_rmid )
        return 0;
    if ( !counter_mask )
        identify();
    here = cache_of(smp_processor_id());
    list_for_each_entry ( vu, &vd->units, list )
        if ( cache_of(vlib_unit_place(vu)) != here )
            return 0;
    return vd->domain->arch.psr_rmid;
}

/* Reads a counter; returns whether there is a value. */
static bool count(unsigned int event, unsigned int id, uint64_t *value)
{
    unsigned long flags;
    bool ok;

    if ( !(psr_cmt->l3.features & (1U << (event - 1))) )
        return false;
    local_irq_save(flags); /* Dom0's own readings come by interrupt */
    ok = !wrmsr_safe(MSR_IA32_CMT_EVTSEL, ((uint64_t)id << 32) | event) &&
         !vlib_rdmsr_safe(MSR_IA32_CMT_CTR, value);
    local_irq_restore(flags);
    return ok && !(*value & NO_VALUE);
}

void vlib_monitor_begin(struct vlib_call *c)
{
    c->monitor = monitored(c->domain);
    if ( c->monitor && count(EVENT_MOVED, c->monitor, &c->memory.moved) )
        c->memory.known = VLIB_MEMORY_moved;
}

void vlib_monitor_end(struct vlib_call *c)
{
    struct vlib_memory *m = &c->memory;
    uint64_t before = m->moved, now;
    bool begun = m->known;
    unsigned int id = c->monitor;

    memset(m, 0, sizeof(*m));
    if ( monitored(c->domain) != id )
        return;
    if ( begun && count(EVENT_MOVED, id, &now) )
    {
        m->known |= VLIB_MEMORY_moved;
        m->moved = ((now - before) & counter_mask) *
                   psr_cmt->l3.upscaling_factor;
    }
    if ( count(EVENT_OCCUPIED, id, &now) )
    {
        m->known |= VLIB_MEMORY_occupied;
        m->occupied = now * psr_cmt->l3.upscaling_factor;
    }
}
