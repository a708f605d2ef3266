/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A sporadic server: budget C every period T, kept as a list of refills.
 *
 * Each refill is a part of C with the time from which it may be used. The used
 * part comes back one period after that time. So no window of length T sees
 * more than C, but for use that others had delayed, and a server that always
 * wants to run gets C in every T. The amounts add up to C at all times; an
 * overrun is subtracted from refills that are still to come.
 *
 * B. Sprunt, L. Sha, J. Lehoczky: Aperiodic Task Scheduling for Hard Real-Time
 * Systems, 1989; M. Stanovich et al.: Defects of the POSIX Sporadic Server and
 * How to Correct Them, RTAS 2010.
 */
#ifndef VLIB_SERVER_H
#define VLIB_SERVER_H

#include "platform.h"

/*
 * Use in small pieces makes many refills. With 32 entries, a vCPU that uses
 * all of C in pieces of 10 us gets 95 % of it in time; with 8, two thirds.
 */
#define VLIB_REFILLS 32

struct vlib_refill {
    s_time_t at;
    s_time_t amount;
};

struct vlib_server {
    s_time_t budget, period;
    unsigned int head, count;
    struct vlib_refill refill[VLIB_REFILLS]; /* a ring, sorted by time */
};

void vlib_server_init(struct vlib_server *s, s_time_t budget, s_time_t period,
                      s_time_t now);

/*
 * Changes C and T. This gives no used budget back. Until all of the old C is
 * available, the new C is available when the old would have been, or a new
 * period from now, whichever is first. The amount by which C grows is
 * available a new period from now.
 */
void vlib_server_change(struct vlib_server *s, s_time_t budget,
                        s_time_t period, s_time_t now);

/* The server becomes ready again after a pause, or on another CPU. */
void vlib_server_wake(struct vlib_server *s, s_time_t now);

void vlib_server_charge(struct vlib_server *s, s_time_t used);

/* Budget that may be used now: at most 0 if it is depleted. */
s_time_t vlib_server_left(const struct vlib_server *s, s_time_t now);

/* When the first refill may be used: in the past if there is budget. */
static inline s_time_t vlib_server_next(const struct vlib_server *s)
{
    return s->refill[s->head].at;
}

#endif /* VLIB_SERVER_H */
