/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that the plugin shares with the guest: docs/contended.md. The same
 * in Go is throttle/model/layout.go, and a test compares the two.
 */
#ifndef VLIBOS_CONTENDED_LAYOUT_H
#define VLIBOS_CONTENDED_LAYOUT_H

#include <stdint.h>

#define MODEL_MAGIC 0x0073754262694c76ULL /* "vLibBus" */
#define MODEL_VERSION 1
#define MODEL_CPUS 64
#define MODEL_MAX_SERVICE 1000000ULL /* ns */

/* Written by the vCPU's own thread alone. */
struct model_cpu {
    uint64_t accesses;  /* to guest RAM, while the service time was not 0 */
    uint64_t misses;    /* of them, in the vCPU's private cache */
    uint64_t requests;  /* of them, in the shared cache: turns on the bus */
    uint64_t occupancy; /* ns from asking for the bus to the end of the turn */
    uint64_t late;      /* ns past the turns' ends: the host ran something else */
    uint64_t reserved[3];
};

struct model {
    uint64_t magic;
    uint32_t version;
    uint32_t cpus;          /* vCPUs of the machine: records that are in use */
    uint32_t line_bytes;
    uint32_t private_bytes; /* per vCPU, direct-mapped */
    uint32_t shared_bytes;
    uint32_t shared_ways;
    uint64_t reserved[4];
    uint64_t service;       /* ns a turn lasts; 0: nothing is modelled. The guest's to write */
    uint64_t reserved2[503];
    struct model_cpu cpu[MODEL_CPUS];
};

#endif
