/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Occupancy of the third-level cache and memory bandwidth, by resource
 * monitoring ID: SDM 18.18, APM 2 19.3. All memory is local: the machine has
 * one package.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"

#include "processor.h"

#define MSR_SELECT 0xc8d  /* IA32_QM_EVTSEL */
#define MSR_COUNTER 0xc8e /* IA32_QM_CTR */

#define EVENT_OCCUPANCY 1
#define EVENT_TOTAL 2
#define EVENT_LOCAL 3
#define ERROR (1ull << 63)

#define LINE 64 /* bytes */

/* Each CPU has a select register of its own. */
static uint64_t selected[PROCESSOR_CPUS];

static uint64_t counter(uint64_t select)
{
    const struct model *m = processor_model;
    unsigned int event = select & 0xff;
    uint64_t rmid = select >> 32;

    if (rmid >= m->rmids) {
        return ERROR;
    }
    if (event == EVENT_OCCUPANCY) {
        return qatomic_read(&processor_state->lines[rmid]) * LINE / m->scale;
    }
    if (event == EVENT_TOTAL || event == EVENT_LOCAL) {
        return qatomic_read(&processor_state->moved[rmid]) * LINE / m->scale &
               ((1ull << m->counter_width) - 1);
    }
    return ERROR;
}

enum access monitoring_read(int cpu, uint32_t msr, uint64_t *value)
{
    if (!processor_model->rmids) {
        return ACCESS_OTHER;
    }
    if (msr == MSR_SELECT) {
        *value = selected[cpu];
    } else if (msr == MSR_COUNTER) {
        *value = counter(selected[cpu]);
    } else {
        return ACCESS_OTHER;
    }
    return ACCESS_DONE;
}

enum access monitoring_write(int cpu, uint32_t msr, uint64_t value)
{
    if (!processor_model->rmids) {
        return ACCESS_OTHER;
    }
    if (msr == MSR_COUNTER) {
        return ACCESS_FAULT; /* read only */
    }
    if (msr != MSR_SELECT) {
        return ACCESS_OTHER;
    }
    if (value & ~0x3ff000000ffull) {
        return ACCESS_FAULT;
    }
    selected[cpu] = value;
    return ACCESS_DONE;
}
