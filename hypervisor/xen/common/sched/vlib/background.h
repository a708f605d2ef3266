/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Background time of one CPU is shared equally by domains, and a domain's part
 * equally by those of its vCPUs that are on this CPU. The one with the
 * smallest share goes first. A vCPU that slept has no claim to the time that
 * it missed.
 *
 * The throttle denies background time to all vCPUs but those that it spares.
 * Spared and other vCPUs are ordered separately, within a domain and among
 * domains, so that the first one that may run is found at once.
 *
 * Locks: everything here is under the CPU's scheduler lock.
 */
#ifndef VLIB_BACKGROUND_H
#define VLIB_BACKGROUND_H

#include "heap.h"

struct vlib_entity;
struct vlib_runqueue;

/*
 * A domain's vCPUs on one CPU. Index 1 is for those that the throttle spares.
 */
struct vlib_group {
    struct vlib_heap member[2]; /* by share */
    struct vlib_node node[2];   /* in the runqueue's heaps, if not empty */
    unsigned int present;       /* vCPUs that are runnable here */
    uint64_t home;              /* generation of the runqueue it was last on */
    uint64_t turn;              /* its place among equals */
    s_time_t share;             /* background time that it has had */
    s_time_t least;             /* the least that any of its members has had */
};

/* e joins q; e leaves q. */
void vlib_background_join(struct vlib_runqueue *q, struct vlib_entity *e);
void vlib_background_leave(struct vlib_runqueue *q, struct vlib_entity *e);

/* e begins to wait for background time; e no longer waits for it. */
void vlib_background_insert(struct vlib_runqueue *q, struct vlib_entity *e);
void vlib_background_remove(struct vlib_runqueue *q, struct vlib_entity *e);

/* The first in line, or NULL. 'denied' restricts it to spared vCPUs. */
struct vlib_entity *vlib_background_first(const struct vlib_runqueue *q,
                                          bool denying);

/* Charges e, which is running, for background time. */
void vlib_background_charge(struct vlib_runqueue *q, struct vlib_entity *e,
                            s_time_t used);

/* Whether a has had so much less than b that b should be preempted. */
bool vlib_background_behind(const struct vlib_runqueue *q,
                            const struct vlib_entity *a,
                            const struct vlib_entity *b);

/*
 * e, which is running, goes behind its domain's others, or behind other
 * domains.
 */
void vlib_background_yield(struct vlib_runqueue *q, struct vlib_entity *e);

/* Whether the throttle denies background time now, and until when. */
bool vlib_background_denies(const struct vlib_runqueue *q, s_time_t now,
                            s_time_t *until);

/* Counts the time that e, which waited, was denied. */
void vlib_background_denied(struct vlib_runqueue *q, struct vlib_entity *e);

#endif /* VLIB_BACKGROUND_H */
