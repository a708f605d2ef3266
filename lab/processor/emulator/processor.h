/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A processor with cache classes, resource monitoring and uncore counters, for
 * QEMU's emulation. Its model is a table of what the manuals say of it.
 *
 *   SDM    Intel 64 and IA-32 Software Developer's Manual, volumes 3 and 4
 *   APM    AMD64 Architecture Programmer's Manual, volumes 2 and 3
 *   UPM    Intel Xeon Scalable uncore performance monitoring reference
 *   PPR    AMD Processor Programming Reference of a family
 */
#ifndef VLIBOS_PROCESSOR_H
#define VLIBOS_PROCESSOR_H

#include "state.h"

/* What became of an access to a register. */
enum access {
    ACCESS_OTHER, /* not a register of these; QEMU's own code answers */
    ACCESS_DONE,
    ACCESS_FAULT, /* #GP(0) */
};

/* Cache classes of one level (SDM 18.19.4, APM 2 19.4). */
struct allocation {
    unsigned int classes;    /* 0: none */
    unsigned int shareable;  /* mask of the ways that devices use too */
    bool cdp;                /* apart masks for code and data */
};

struct bandwidth {
    unsigned int classes; /* 0: none */
    unsigned int most;    /* Intel: the greatest delay; AMD: bits of a limit */
    bool powers;          /* Intel: delays are not linear, but powers of two */
};

/* What an uncore counter may count, by its select register's event and mask. */
struct event {
    unsigned int select; /* event in bits 7:0, mask in bits 15:8 */
    enum { COUNT_REQUESTS, COUNT_OCCUPANCY } count;
};

struct uncore {
    unsigned int counters, width;
    /* Registers of the first counter, and the distance to the next. */
    unsigned int select, counter, step;
    uint64_t reserved; /* bits of a select register that must be 0 */
    /* The register that must have a bit set for counters to run; 0: none. */
    unsigned int control;
    uint64_t enable;
    bool toggles; /* enable starts the counters, the next higher bit but one stops */
    unsigned int plain[4]; /* registers that keep what is written */
    struct event events[4];
    /* A unit of occupancy is this many ns: numerator and denominator. */
    unsigned int unit, per;
};

struct model {
    const char *name;
    bool amd;
    unsigned int l2_ways, l2_sets, l3_ways, l3_sets;
    struct allocation l2, l3;
    bool gaps; /* a mask may have gaps */
    struct bandwidth memory;
    unsigned int rmids;   /* 0: no monitoring */
    unsigned int scale;   /* bytes a unit of monitoring */
    unsigned int counter_width;
    const struct uncore *uncore;
};

extern const struct model processor_models[];

/* The model that runs, and its state. NULL: QEMU's processor is as it was. */
extern const struct model *processor_model;
extern struct processor_state *processor_state;

/*
 * For QEMU. A register's number and a leaf are what software gives. The CPU is
 * its index. Registers' state is the whole machine's, which has one package.
 */
void processor_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *eax,
                     uint32_t *ebx, uint32_t *ecx, uint32_t *edx);
enum access processor_read(int cpu, uint32_t msr, uint64_t *value);
enum access processor_write(int cpu, uint32_t msr, uint64_t value);

/* Parts of it. The caller has the lock. */
enum access allocation_read(int cpu, uint32_t msr, uint64_t *value);
enum access allocation_write(int cpu, uint32_t msr, uint64_t value);
enum access monitoring_read(int cpu, uint32_t msr, uint64_t *value);
enum access monitoring_write(int cpu, uint32_t msr, uint64_t value);
enum access uncore_read(uint32_t msr, uint64_t *value);
enum access uncore_write(uint32_t msr, uint64_t value);
void allocation_reset(void);

#endif
