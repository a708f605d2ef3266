/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Uncore counters: a fixed table by CPU model, programmed here once, read by
 * Dom0. Register numbers: Intel SDM vol. 4 (ARB), Intel Xeon Scalable uncore
 * performance monitoring reference (CHA), AMD PPR for families 17h and 19h.
 *
 * Occupancy is the number of outstanding requests, summed over all cycles.
 * A count of AMD's stands for sixteen cycles (17h) or ten nanoseconds (19h).
 */
#include <asm/msr.h>
#include <asm/processor.h>

#include "compat.h"

struct source {
    unsigned int kind, width;
    unsigned int occupancy_select, requests_select;
    uint64_t occupancy_event, requests_event;
    unsigned int occupancy, requests;   /* the counters */
    unsigned int enable;                /* register to write first */
    uint64_t enable_value;
    unsigned int filter;
    uint64_t filter_value;
};

#define SELECT(event, umask) ((event) | ((umask) << 8) | (1ULL << 22))

static const struct source intel_arb_old = { /* Sandy Bridge to Broadwell */
    .kind = VLIB_COUNTERS_intel_arb, .width = 44,
    .occupancy_select = 0x3b2, .requests_select = 0x3b3,
    .occupancy_event = SELECT(0x80, 0x01), .requests_event = SELECT(0x81, 0x01),
    .occupancy = 0x3b0, .requests = 0x3b1,
    .enable = 0x391, .enable_value = (1ULL << 29) | 0xf,
};

static const struct source intel_arb = { /* Skylake to Comet Lake */
    .kind = VLIB_COUNTERS_intel_arb, .width = 44,
    .occupancy_select = 0x3b2, .requests_select = 0x3b3,
    .occupancy_event = SELECT(0x80, 0x01), .requests_event = SELECT(0x81, 0x01),
    .occupancy = 0x3b0, .requests = 0x3b1,
    .enable = 0xe01, .enable_value = 1ULL << 29,
};

/* One of the CHAs. Addresses are hashed over all, so one represents them. */
static const struct source intel_cha = { /* Skylake-SP, Cascade Lake */
    .kind = VLIB_COUNTERS_intel_cha, .width = 48,
    .occupancy_select = 0xe01, .requests_select = 0xe02,
    .occupancy_event = SELECT(0x36, 0x21), .requests_event = SELECT(0x35, 0x21),
    .occupancy = 0xe08, .requests = 0xe09,
    .enable = 0x700, .enable_value = 1ULL << 61,
    .filter = 0xe06, .filter_value = 0x3b,
};

#define AMD_ALL_17H ((0xffULL << 56) | (0xfULL << 48))
#define AMD_ALL_19H ((3ULL << 56) | (1ULL << 47) | (1ULL << 46))

static const struct source amd_l3_17h = {
    .kind = VLIB_COUNTERS_amd_l3, .width = 48,
    .occupancy_select = 0xc0010230, .requests_select = 0xc0010232,
    .occupancy_event = SELECT(0x90, 0x00) | AMD_ALL_17H,
    .requests_event = SELECT(0x9a, 0x1f) | AMD_ALL_17H,
    .occupancy = 0xc0010231, .requests = 0xc0010233,
};

static const struct source amd_l3_19h = {
    .kind = VLIB_COUNTERS_amd_l3, .width = 48,
    .occupancy_select = 0xc0010230, .requests_select = 0xc0010232,
    .occupancy_event = SELECT(0xac, 0x3f) | AMD_ALL_19H,
    .requests_event = SELECT(0xad, 0x3f) | AMD_ALL_19H,
    .occupancy = 0xc0010231, .requests = 0xc0010233,
};

static const struct source *by_model(void)
{
    /*
     * Below another hypervisor these registers, if present, are that
     * hypervisor's.
     */
    if ( cpu_has_hypervisor )
        return NULL;
    if ( boot_cpu_data.x86_vendor == X86_VENDOR_AMD )
        switch ( boot_cpu_data.x86 )
        {
        case 0x17: return &amd_l3_17h;
        case 0x19: return &amd_l3_19h;
        default: return NULL;
        }
    if ( boot_cpu_data.x86_vendor != X86_VENDOR_INTEL ||
         boot_cpu_data.x86 != 6 )
        return NULL;
    switch ( boot_cpu_data.x86_model )
    {
    case 0x2a: case 0x3a: case 0x3c: case 0x45: case 0x46: case 0x3d:
    case 0x47:
        return &intel_arb_old;
    case 0x4e: case 0x5e: case 0x8e: case 0x9e: case 0xa5: case 0xa6:
        return &intel_arb;
    case 0x55:
        return &intel_cha;
    default:
        return NULL;
    }
}

static bool program(const struct source *s)
{
    return (!s->enable || !wrmsr_safe(s->enable, s->enable_value)) &&
           (!s->filter || !wrmsr_safe(s->filter, s->filter_value)) &&
           !wrmsr_safe(s->occupancy_select, s->occupancy_event) &&
           !wrmsr_safe(s->requests_select, s->requests_event);
}

struct reading {
    const struct source *source;
    struct vlib_counters *op;
    int rc;
};

/* Runs on the CPU given: counters belong to its package, or its cache. */
static void cf_check read_here(void *data)
{
    struct reading *r = data;
    uint64_t select;

    if ( vlib_rdmsr_safe(r->source->requests_select, &select) ||
         (select != r->source->requests_event && !program(r->source)) ||
         vlib_rdmsr_safe(r->source->requests, &r->op->requests) ||
         vlib_rdmsr_safe(r->source->occupancy, &r->op->occupancy) )
        r->rc = -EIO;
    r->op->time = NOW();
}

unsigned int vlib_counters_kind(void)
{
    const struct source *s = by_model();

    return s ? s->kind : VLIB_COUNTERS_none;
}

/* Misses of the last-level cache are not counted: guests use the PMU. */
int vlib_counters_read(struct vlib_counters *op)
{
    struct reading r = { .source = by_model(), .op = op };
    unsigned int cpu = op->cpu;

    if ( cpu >= nr_cpu_ids || !cpu_online(cpu) )
        return -ENODEV;
    memset(op, 0, sizeof(*op));
    op->version = VLIB_ABI_VERSION;
    op->cpu = cpu;
    op->time = NOW();
    if ( !r.source )
        return 0;
    op->kind = r.source->kind;
    op->width = r.source->width;
    on_selected_cpus(cpumask_of(cpu), read_here, &r, 1);
    return r.rc;
}
