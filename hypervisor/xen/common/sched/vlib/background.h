/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Background time of one CPU: shared equally by domains, and what a domain has
 * of it equally by those of its vCPUs that are on this CPU. The one that had
 * least goes first. What sleeps has no claim to the time that it missed.
 *
 * The throttle denies background time to all but those that it spares. Both
 * kinds are ordered by themselves, in a domain and among domains, so that the
 * first of those that may run is always at hand.
 *
 * Locks: everything here is under the CPU's scheduler lock.
 */
#ifndef VLIB_BACKGROUND_H
#define VLIB_BACKGROUND_H

#include "heap.h"

struct vlib_entity;
struct vlib_runqueue;

/* A domain's vCPUs on one CPU. Index 1 is of those that the throttle spares. */
struct vlib_group {
    struct vlib_heap member[2]; /* by share */
    struct vlib_node node[2];   /* in the runqueue's heaps, while it has any */
    unsigned int present;       /* vCPUs that are runnable here */
    uint64_t home;              /* generation of the runqueue it was last on */
    uint64_t turn;              /* its place among equals */
    s_time_t share;             /* background time that it had */
    s_time_t least;             /* the least that a member had */
};

/* e is on q from now on, and not any more. */
void vlib_background_join(struct vlib_runqueue *q, struct vlib_entity *e);
void vlib_background_leave(struct vlib_runqueue *q, struct vlib_entity *e);

/* e waits for background time, and not any more. */
void vlib_background_insert(struct vlib_runqueue *q, struct vlib_entity *e);
void vlib_background_remove(struct vlib_runqueue *q, struct vlib_entity *e);

/* The first in line, or NULL; only of the spared if the others are denied. */
struct vlib_entity *vlib_background_first(const struct vlib_runqueue *q,
                                          bool denying);

/* e, which runs, had this much. */
void vlib_background_charge(struct vlib_runqueue *q, struct vlib_entity *e,
                            s_time_t used);

/* Whether a had so much less than b that it is worth an interruption. */
bool vlib_background_behind(const struct vlib_runqueue *q,
                            const struct vlib_entity *a,
                            const struct vlib_entity *b);

/* e, which runs, lets its domain's others, or else other domains, go first. */
void vlib_background_yield(struct vlib_runqueue *q, struct vlib_entity *e);

#endif /* VLIB_BACKGROUND_H */
