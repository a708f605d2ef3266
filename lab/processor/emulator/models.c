/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processors. Families and models are on QEMU's command line
 * (lab/processor/processor.go). Caches have the real number of ways, but
 * fewer sets: programs are as much slower.
 */
#include "qemu/osdep.h"

#include "processor.h"

#define EVENT(event, mask) ((event) | (mask) << 8)

/* SDM 4, table 2-46; UNC_ARB_TRK_OCCUPANCY.ALL, UNC_ARB_TRK_REQUESTS.ALL. */
static const struct uncore arb = {
    .counters = 2, .width = 44,
    .select = 0x3b2, .counter = 0x3b0, .step = 1,
    .reserved = ~0x1fd4ffffull,
    .control = 0xe01, .enable = 1 << 29,
    .events = { { EVENT(0x80, 0x01), COUNT_OCCUPANCY },
                { EVENT(0x81, 0x01), COUNT_REQUESTS } },
    .unit = 1, .per = 2,
};

/* One counter for two events: clients from Ice Lake on. */
static const struct uncore arb_single = {
    .counters = 1, .width = 44,
    .select = 0x3b3, .counter = 0x3b1, .step = 1,
    .reserved = ~0x1fd4ffffull,
    .control = 0xe01, .enable = 1 << 29,
    .events = { { EVENT(0x80, 0x01), COUNT_OCCUPANCY },
                { EVENT(0x81, 0x01), COUNT_REQUESTS } },
    .unit = 1, .per = 2,
};

/* UPM, 2.2: TOR_OCCUPANCY.IA_MISS, TOR_INSERTS.IA_MISS. There is one CHA. */
static const struct uncore cha = {
    .counters = 4, .width = 48,
    .select = 0xe01, .counter = 0xe08, .step = 1,
    .reserved = ~0xfffff6ffffull,
    .control = 0x700, .enable = 1ull << 61, .toggles = true,
    .plain = { 0xe00, 0xe05, 0xe06, 0xe07 },
    .events = { { EVENT(0x36, 0x21), COUNT_OCCUPANCY },
                { EVENT(0x35, 0x21), COUNT_REQUESTS } },
    .unit = 1, .per = 2,
};

/* PPR of family 19h, 2.1.15.4: a unit of latency is 10 ns. */
static const struct uncore amd_l3 = {
    .counters = 6, .width = 48,
    .select = 0xc0010230, .counter = 0xc0010231, .step = 2,
    .reserved = ~0xff07dc000040ffffull,
    .events = { { EVENT(0xac, 0x3f), COUNT_OCCUPANCY },
                { EVENT(0xad, 0x3f), COUNT_REQUESTS } },
    .unit = 10, .per = 1,
};

const struct model processor_models[] = {
    {
        .name = "skylake-client",
        .l2_ways = 4, .l2_sets = 1024, .l3_ways = 16, .l3_sets = 2048,
        .uncore = &arb,
    }, {
        .name = "icelake-client",
        .l2_ways = 8, .l2_sets = 512, .l3_ways = 16, .l3_sets = 2048,
        .uncore = &arb_single,
    }, {
        .name = "skylake-server",
        .l2_ways = 16, .l2_sets = 256, .l3_ways = 11, .l3_sets = 4096,
        .l3 = { .classes = 16, .shareable = 0x600, .cdp = true },
        .memory = { .classes = 8, .most = 90 },
        .rmids = 144, .scale = 65536, .counter_width = 24,
        .uncore = &cha,
    }, {
        .name = "icelake-server",
        .l2_ways = 20, .l2_sets = 256, .l3_ways = 12, .l3_sets = 4096,
        .l3 = { .classes = 15, .shareable = 0xc00, .cdp = true },
        .memory = { .classes = 15, .most = 90 },
        .rmids = 224, .scale = 65536, .counter_width = 32,
    }, {
        /* SDM 3, 18.19.7: delays that are not linear; no product is known. */
        .name = "icelake-server-powers",
        .l2_ways = 20, .l2_sets = 256, .l3_ways = 12, .l3_sets = 4096,
        .l3 = { .classes = 15, .shareable = 0xc00, .cdp = true },
        .memory = { .classes = 15, .most = 512, .powers = true },
        .rmids = 224, .scale = 65536, .counter_width = 32,
    }, {
        .name = "sapphire-rapids",
        .l2_ways = 16, .l2_sets = 256, .l3_ways = 15, .l3_sets = 4096,
        .l2 = { .classes = 8, .cdp = true },
        .l3 = { .classes = 15, .shareable = 0x6000, .cdp = true },
        .memory = { .classes = 15, .most = 90 },
        .rmids = 256, .scale = 65536, .counter_width = 32,
    }, {
        .name = "epyc-milan", .amd = true,
        .l2_ways = 8, .l2_sets = 512, .l3_ways = 16, .l3_sets = 2048,
        .l3 = { .classes = 16, .cdp = true }, .gaps = true,
        .memory = { .classes = 16, .most = 11 },
        .rmids = 256, .scale = 64, .counter_width = 44,
        .uncore = &amd_l3,
    }, {
        .name = "epyc-genoa", .amd = true,
        .l2_ways = 8, .l2_sets = 512, .l3_ways = 16, .l3_sets = 2048,
        .l3 = { .classes = 16, .cdp = true }, .gaps = true,
        .memory = { .classes = 16, .most = 12 },
        .rmids = 256, .scale = 64, .counter_width = 44,
        .uncore = &amd_l3,
    }, { }
};
