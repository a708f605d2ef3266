/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cache and bandwidth allocation: SDM 18.19 and volume 4, APM 2 chapter 19.
 * A mask is obeyed by the memory plugin where a line is filled; hits are
 * possible in all ways.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"

#include "processor.h"

#define MSR_L3_CONFIG 0xc81 /* IA32_L3_QOS_CFG: bit 0 enables CDP */
#define MSR_L2_CONFIG 0xc82
#define MSR_ASSOC 0xc8f     /* IA32_PQR_ASSOC */
#define MSR_L3_MASK 0xc90   /* IA32_L3_QOS_MASK_0 */
#define MSR_L2_MASK 0xd10
#define MSR_DELAY 0xd50     /* IA32_L2_QOS_EXT_BW_THRTL_0 */
#define MSR_AMD_LIMIT 0xc0000200

static struct level {
    uint64_t mask[PROCESSOR_CLASSES];
    bool cdp;
} l2, l3;

static uint64_t delay[PROCESSOR_CLASSES];

static uint32_t all(unsigned int ways)
{
    return (1u << ways) - 1;
}

/* Tells the plugin the masks of data. With CDP each class has two registers. */
static void publish(struct level *l, struct processor_cache *cache)
{
    for (unsigned int i = 0; i < PROCESSOR_CLASSES; i++) {
        unsigned int at = l->cdp ? 2 * i : i;

        qatomic_set(&cache->fill[i], at < PROCESSOR_CLASSES && l->mask[at]
                                     ? l->mask[at] : all(cache->ways));
    }
}

void allocation_reset(void)
{
    for (unsigned int i = 0; i < PROCESSOR_CLASSES; i++) {
        l2.mask[i] = all(processor_model->l2_ways);
        l3.mask[i] = all(processor_model->l3_ways);
        if (processor_model->amd && processor_model->memory.classes) {
            delay[i] = 1ull << processor_model->memory.most; /* unlimited */
        }
    }
    publish(&l2, &processor_state->l2);
    publish(&l3, &processor_state->l3);
}

/* A mask is not empty and within the cache and, by Intel, without gaps. */
static bool valid_mask(uint64_t mask, unsigned int ways)
{
    uint64_t filled = mask | (mask - 1); /* bits below the lowest are set too */

    return mask && !(mask & ~(uint64_t)all(ways)) &&
           (processor_model->gaps || !(filled & (filled + 1)));
}

static enum access write_mask(struct level *l, struct processor_cache *cache,
                              unsigned int i, uint64_t mask)
{
    if (!valid_mask(mask, cache->ways)) {
        return ACCESS_FAULT;
    }
    l->mask[i] = mask;
    publish(l, cache);
    return ACCESS_DONE;
}

static enum access write_config(struct level *l, struct processor_cache *cache,
                                uint64_t value)
{
    if (value & ~1ull) {
        return ACCESS_FAULT;
    }
    l->cdp = value;
    publish(l, cache);
    return ACCESS_DONE;
}

static unsigned int classes(void)
{
    const struct model *m = processor_model;

    return MAX(MAX(m->l2.classes, m->l3.classes), m->memory.classes);
}

static enum access associate(int cpu, uint64_t value)
{
    uint64_t class = value >> 32, rmid = value & 0xffffffff;

    if (class >= MAX(classes(), 1) || rmid >= MAX(processor_model->rmids, 1)) {
        return ACCESS_FAULT;
    }
    qatomic_set(&processor_state->cpu[cpu].class, class);
    qatomic_set(&processor_state->cpu[cpu].rmid, rmid);
    return ACCESS_DONE;
}

/*
 * Intel, linear: with a delay of d per cent, requests take 100 / (100 - d) of
 * the time. Not linear: the manual leaves open what a delay does; here one of
 * d adds d/64 of the time. AMD: a limit is a part of the greatest, which is the
 * whole bus.
 */
static uint32_t delay_turns(uint64_t value)
{
    unsigned int most = processor_model->memory.most;
    uint64_t whole, share;

    if (processor_model->amd) {
        whole = (1ull << most) - 1;
        share = value >> most ? whole : MAX(value, 1);
    } else if (processor_model->memory.powers) {
        share = 64;
        whole = share + value;
    } else {
        whole = 100;
        share = whole - value;
    }
    return (whole - share) * PROCESSOR_TURN / share;
}

static enum access write_delay(unsigned int i, uint64_t value)
{
    const struct model *m = processor_model;
    unsigned int bits = m->amd ? m->memory.most + 1 : 16;

    if (value >> bits) {
        return ACCESS_FAULT;
    }
    if (!m->amd && value > m->memory.most) {
        value = m->memory.most;
    }
    while (m->memory.powers && (value & (value - 1))) {
        value &= value - 1; /* until the highest bit alone is left */
    }
    delay[i] = value;
    qatomic_set(&processor_state->delay[i], delay_turns(value));
    return ACCESS_DONE;
}

/* The element of an array of registers, if msr is one of n from base on. */
static bool is_one(uint32_t msr, uint32_t base, unsigned int n, unsigned int *i)
{
    *i = msr - base;
    return msr >= base && *i < n;
}

enum access allocation_read(int cpu, uint32_t msr, uint64_t *value)
{
    const struct model *m = processor_model;
    const struct processor_cpu *c = &processor_state->cpu[cpu];
    unsigned int i;

    if (msr == MSR_ASSOC && (classes() || m->rmids)) {
        *value = (uint64_t)c->class << 32 | c->rmid;
    } else if (msr == MSR_L3_CONFIG && m->l3.cdp) {
        *value = l3.cdp;
    } else if (msr == MSR_L2_CONFIG && m->l2.cdp) {
        *value = l2.cdp;
    } else if (is_one(msr, MSR_L3_MASK, m->l3.classes, &i)) {
        *value = l3.mask[i];
    } else if (is_one(msr, MSR_L2_MASK, m->l2.classes, &i)) {
        *value = l2.mask[i];
    } else if (is_one(msr, m->amd ? MSR_AMD_LIMIT : MSR_DELAY, m->memory.classes, &i)) {
        *value = delay[i];
    } else {
        return ACCESS_OTHER;
    }
    return ACCESS_DONE;
}

enum access allocation_write(int cpu, uint32_t msr, uint64_t value)
{
    const struct model *m = processor_model;
    unsigned int i;

    if (msr == MSR_ASSOC && (classes() || m->rmids)) {
        return associate(cpu, value);
    }
    if (msr == MSR_L3_CONFIG && m->l3.cdp) {
        return write_config(&l3, &processor_state->l3, value);
    }
    if (msr == MSR_L2_CONFIG && m->l2.cdp) {
        return write_config(&l2, &processor_state->l2, value);
    }
    if (is_one(msr, MSR_L3_MASK, m->l3.classes, &i)) {
        return write_mask(&l3, &processor_state->l3, i, value);
    }
    if (is_one(msr, MSR_L2_MASK, m->l2.classes, &i)) {
        return write_mask(&l2, &processor_state->l2, i, value);
    }
    if (is_one(msr, m->amd ? MSR_AMD_LIMIT : MSR_DELAY, m->memory.classes, &i)) {
        return write_delay(i, value);
    }
    return ACCESS_OTHER;
}
