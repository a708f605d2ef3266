/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Uncore counters of requests to memory and of their occupancy: the sums of
 * the memory plugin over all CPUs. A counter keeps what it had counted when it
 * was last programmed, and where the sum stood then.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"

#include "processor.h"

#define COUNTERS 8
#define COUNTS (1ull << 22) /* of a select register: the counter runs */

static struct {
    uint64_t select, value, sum;
} counters[COUNTERS];

static uint64_t control, plain[ARRAY_SIZE(((struct uncore *)0)->plain)];

/* The sum that a select register counts, in the counter's unit. */
static uint64_t sum(uint64_t select)
{
    const struct uncore *u = processor_model->uncore;
    const struct event *e;
    uint64_t n = 0;

    for (e = u->events; e->select && e->select != (select & 0xffff); e++) {
    }
    if (!e->select) {
        return 0;
    }
    for (unsigned int i = 0; i < PROCESSOR_CPUS; i++) {
        const struct processor_cpu *c = &processor_state->cpu[i];

        const uint64_t *part = e->count == COUNT_OCCUPANCY ? &c->occupancy
                                                           : &c->requests;

        n += qatomic_read(part);
    }
    return e->count == COUNT_OCCUPANCY ? n * u->per / u->unit : n;
}

static bool runs(unsigned int i)
{
    const struct uncore *u = processor_model->uncore;

    return (!u->control || (control & u->enable)) &&
           (counters[i].select & COUNTS);
}

static uint64_t now(unsigned int i)
{
    uint64_t counted = runs(i) ? sum(counters[i].select) - counters[i].sum : 0;

    return (counters[i].value + counted) &
           ((1ull << processor_model->uncore->width) - 1);
}

/* Keeps the values before something that starts or stops counters. */
static void settle(void)
{
    for (unsigned int i = 0; i < processor_model->uncore->counters; i++) {
        counters[i].value = now(i);
        counters[i].sum = sum(counters[i].select);
    }
}

static void set_select(unsigned int i, uint64_t value)
{
    settle();
    counters[i].select = value;
    counters[i].sum = sum(value);
}

static bool is_one(uint32_t msr, uint32_t base, unsigned int *i)
{
    const struct uncore *u = processor_model->uncore;

    *i = (msr - base) / u->step;
    return msr >= base && *i < u->counters && !((msr - base) % u->step);
}

static bool is_plain(uint32_t msr, unsigned int *i)
{
    for (*i = 0; *i < ARRAY_SIZE(plain); ++*i) {
        if (msr && processor_model->uncore->plain[*i] == msr) {
            return true;
        }
    }
    return false;
}

enum access uncore_read(uint32_t msr, uint64_t *value)
{
    const struct uncore *u = processor_model->uncore;
    unsigned int i;

    if (!u) {
        return ACCESS_OTHER;
    }
    if (is_one(msr, u->select, &i)) {
        *value = counters[i].select;
    } else if (is_one(msr, u->counter, &i)) {
        *value = now(i);
    } else if (msr == u->control && msr) {
        *value = control;
    } else if (is_plain(msr, &i)) {
        *value = plain[i];
    } else {
        return ACCESS_OTHER;
    }
    return ACCESS_DONE;
}

enum access uncore_write(uint32_t msr, uint64_t value)
{
    const struct uncore *u = processor_model->uncore;
    unsigned int i;

    if (!u) {
        return ACCESS_OTHER;
    }
    if (is_one(msr, u->select, &i)) {
        if (value & u->reserved) {
            return ACCESS_FAULT;
        }
        set_select(i, value);
    } else if (is_one(msr, u->counter, &i)) {
        if (value >> u->width) {
            return ACCESS_FAULT;
        }
        settle();
        counters[i].value = value;
    } else if (msr == u->control && msr) {
        settle();
        /* Of the Xeons' two bits, one starts all counters and one stops them. */
        control = u->toggles && (value & u->enable << 2) ? 0 : value;
    } else if (is_plain(msr, &i)) {
        plain[i] = value;
    } else {
        return ACCESS_OTHER;
    }
    return ACCESS_DONE;
}
