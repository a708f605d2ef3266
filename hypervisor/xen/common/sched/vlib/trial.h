/* SPDX-License-Identifier: GPL-2.0-only */
/* The trial that is under way, for trial.c and plan.c; under vlib_lock. */
#ifndef VLIB_TRIAL_H
#define VLIB_TRIAL_H

#include "module.h"

struct vlib_trial_state {
    struct vlib_query q;        /* q.r: NULL: no trial is under way */
    uint64_t number;            /* of this trial; the first is 1 */
    uint64_t places;            /* where the vCPUs were: a digest */
    const struct vlib_domain *movable; /* whose vCPUs may be moved; or NULL */
    bool planning;              /* vCPUs of 'movable' are yet to be planned */
    cpumask_t need[VLIB_MAX_SERVERS];
    uint8_t asked[NR_CPUS];     /* how many servers need the CPU */
    uint8_t have[NR_CPUS];      /* how many are admitted there already */
    uint8_t limit[NR_CPUS];     /* how many it takes at most */
    unsigned int relieved;      /* how often one was planned elsewhere */
    cpumask_t left;             /* still without an outcome */
    unsigned int cpu;           /* the one being examined */
    s_time_t touched;           /* last call of the one that began it */
    enum vlib_outcome outcome;
    bool analysing;             /* false: gathering tasks */
    bool floor_in, own_in;      /* tasks contains them */
    unsigned int place, n;      /* next in vlib_order; number of tasks */
    uint64_t revision;          /* of vlib_order, when gathering began */
    struct vlib_analysis analysis;
    struct vlib_verdict verdict;
};
extern struct vlib_trial_state vlib_trial_state;

static inline uint64_t vlib_plan_digest(uint64_t places, unsigned int cpu)
{
    return places * 31 + cpu + 1;
}

/* plan.c */

/* Plans where the servers are to be; vCPUs that may be moved come later. */
void vlib_plan_begin(void);
/* Plans some of those; the CPUs follow to be examined. */
void vlib_plan_continue(void);
/*
 * A CPU does not take what is planned there: plans one server elsewhere.
 * Returns whether there is such a plan.
 */
bool vlib_plan_relieve(unsigned int cpu);
/* The last server that is asked for and planned on a CPU. */
unsigned int vlib_plan_last_on(unsigned int cpu);

#endif /* VLIB_TRIAL_H */
