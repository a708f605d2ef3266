/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the emulated processor and the memory plugin (lab/membus) share, in a
 * file that both map and that the guest does not see. The processor writes
 * what software programs, the plugin obeys it and counts.
 */
#ifndef VLIBOS_PROCESSOR_STATE_H
#define VLIBOS_PROCESSOR_STATE_H

#include <stdint.h>

#define PROCESSOR_MAGIC 0x757043624c76ULL /* "vLbCpu" */
#define PROCESSOR_CPUS 64
#define PROCESSOR_CLASSES 16
#define PROCESSOR_RMIDS 256
#define PROCESSOR_TURN 1024 /* delay: one turn on the memory bus */

struct processor_cache {
    uint32_t ways, sets;
    /* By class: the ways that its data may be put into. */
    uint32_t fill[PROCESSOR_CLASSES];
};

struct processor_cpu {
    uint32_t class, rmid;          /* written by the processor */
    uint64_t requests, occupancy;  /* by the plugin: turns on the bus, and ns */
};

struct processor_state {
    uint64_t magic;
    /* Written by the processor. The geometries do not change. */
    struct processor_cache l2, l3;
    uint32_t delay[PROCESSOR_CLASSES]; /* after each request, in 1024ths of a turn */
    /* Written by the plugin, by resource monitoring ID. */
    uint64_t lines[PROCESSOR_RMIDS];   /* in the third-level cache now */
    uint64_t moved[PROCESSOR_RMIDS];   /* over the bus so far */
    struct processor_cpu cpu[PROCESSOR_CPUS];
};

/* ProcessorStateBytes in lab/membus/build.go. */
_Static_assert(sizeof(struct processor_state) <= 8192, "larger than its file");

#endif
