/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What CPUID says of cache classes, monitoring and caches: SDM 2, CPUID, leaves
 * 4, 7, 0xF and 0x10; APM 3, functions 8000_0008, 8000_001D and 8000_0020.
 */
#include "qemu/osdep.h"

#include "processor.h"

#define MONITORING (1u << 12) /* leaf 7, EBX */
#define ALLOCATION (1u << 15)
#define AMD_BANDWIDTH (1u << 6) /* leaf 0x80000008, EBX */

#define RESOURCE_L3 1
#define RESOURCE_L2 2
#define RESOURCE_MEMORY 3

#define LINE 64 /* bytes */
#define COUNTER_WIDTH 24 /* bits, to which leaf 0xF adds */

struct registers {
    uint32_t *eax, *ebx, *ecx, *edx;
};

static void set(struct registers r, uint32_t eax, uint32_t ebx, uint32_t ecx,
                uint32_t edx)
{
    *r.eax = eax;
    *r.ebx = ebx;
    *r.ecx = ecx;
    *r.edx = edx;
}

/* QEMU has said which level of cache it is, and which CPUs share it. */
static void cache(struct registers r)
{
    unsigned int level = *r.eax >> 5 & 7;
    const struct processor_cache *c = level == 2 ? &processor_state->l2
                                                 : &processor_state->l3;

    if ((*r.eax & 0x1f) && level >= 2) {
        *r.ebx = (c->ways - 1) << 22 | (LINE - 1);
        *r.ecx = c->sets - 1;
    }
}

static void features(struct registers r)
{
    const struct model *m = processor_model;

    *r.ebx &= ~(MONITORING | ALLOCATION);
    *r.ebx |= (m->rmids ? MONITORING : 0) |
              (m->l2.classes || m->l3.classes || m->memory.classes ? ALLOCATION
                                                                   : 0);
}

static void monitoring(struct registers r, uint32_t subleaf)
{
    const struct model *m = processor_model;

    set(r, 0, 0, 0, 0);
    if (m->rmids && subleaf == 0) {
        set(r, 0, m->rmids - 1, 0, 1 << RESOURCE_L3);
    } else if (m->rmids && subleaf == RESOURCE_L3) {
        set(r, m->counter_width - COUNTER_WIDTH, m->scale, m->rmids - 1,
            1 << 0 | 1 << 1 | 1 << 2);
    }
}

static void masks(struct registers r, const struct allocation *a,
                  unsigned int ways)
{
    if (a->classes) {
        set(r, ways - 1, a->shareable,
            (a->cdp ? 1 << 2 : 0) | (processor_model->gaps ? 1 << 3 : 0),
            a->classes - 1);
    }
}

static void allocation(struct registers r, uint32_t subleaf)
{
    const struct model *m = processor_model;

    set(r, 0, 0, 0, 0);
    switch (subleaf) {
    case 0:
        *r.ebx = (m->l3.classes ? 1 << RESOURCE_L3 : 0) |
                 (m->l2.classes ? 1 << RESOURCE_L2 : 0) |
                 (m->memory.classes && !m->amd ? 1 << RESOURCE_MEMORY : 0);
        break;
    case RESOURCE_L3:
        masks(r, &m->l3, m->l3_ways);
        break;
    case RESOURCE_L2:
        masks(r, &m->l2, m->l2_ways);
        break;
    case RESOURCE_MEMORY:
        if (m->memory.classes && !m->amd) { /* bit 2: linear */
            set(r, m->memory.most - 1, 0, m->memory.powers ? 0 : 1 << 2,
                m->memory.classes - 1);
        }
    }
}

static void amd_bandwidth(struct registers r, uint32_t subleaf)
{
    const struct model *m = processor_model;

    set(r, 0, 0, 0, 0);
    if (m->memory.classes && subleaf == 0) {
        *r.ebx = 1 << 1;
    } else if (m->memory.classes && subleaf == 1) {
        set(r, m->memory.most, 0, 0, m->memory.classes - 1);
    }
}

void processor_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *eax,
                     uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
    const struct model *m = processor_model;
    struct registers r = { eax, ebx, ecx, edx };

    if (!m) {
        return;
    }
    switch (leaf) {
    case 4:
        cache(r);
        break;
    case 7:
        if (!subleaf) {
            features(r);
        }
        break;
    case 0xf:
        monitoring(r, subleaf);
        break;
    case 0x10:
        allocation(r, subleaf);
        break;
    case 0x80000008:
        *ebx |= m->amd && m->memory.classes ? AMD_BANDWIDTH : 0;
        break;
    case 0x8000001d:
        cache(r);
        break;
    case 0x80000020:
        if (m->amd) {
            amd_bandwidth(r, subleaf);
        }
    }
}
