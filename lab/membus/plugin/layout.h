/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that the plugin shares with the guest
 * (docs/reference/lab-bus.md). The Go version is throttle/model/layout.go; a
 * test compares the two.
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
    uint64_t misses;    /* accesses that miss the private cache */
    uint64_t requests;  /* of the misses, turns on the bus */
    uint64_t occupancy; /* ns from requesting the bus to the end of the turn */
    uint64_t late;      /* ns after turns' ends: the host ran others */
    uint64_t reserved[3];
};

struct model {
    uint64_t magic;
    uint32_t version;
    uint32_t cpus;          /* vCPUs of the machine: used records */
    uint32_t line_bytes;
    uint32_t private_bytes; /* per vCPU, direct-mapped */
    uint32_t shared_bytes;
    uint32_t shared_ways;
    uint64_t reserved[4];
    uint64_t service;       /* ns a turn, written by the guest; 0: off */
    uint64_t reserved2[503];
    struct model_cpu cpu[MODEL_CPUS];
};

#endif
