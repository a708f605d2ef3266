/* SPDX-License-Identifier: GPL-2.0-only */
/* A processor with classes and monitoring. Pairs of CPUs share a cache. */
#ifndef VLIB_FAKEPSR_H
#define VLIB_FAKEPSR_H

#include "fakexen.h"

#define FAKE_RMIDS 8
#define FAKE_UNIT 1024              /* bytes */
#define FAKE_WIDTH 26               /* bits of a counter */

/* What psr_ctxt_switch_to() wrote last on each CPU. */
struct fake_assoc {
    unsigned int rmid, class;
};
extern struct fake_assoc fake_assoc[];

struct fake_monitor {
    uint64_t occupied[FAKE_RMIDS], moved[FAKE_RMIDS]; /* in units */
    bool unavailable;
    unsigned int accesses;          /* to its registers */
};
extern struct fake_monitor fake_monitor;

extern struct psr_cmt fake_cmt;     /* for psr_cmt */

#endif /* VLIB_FAKEPSR_H */
