/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a reservation fits on CPUs, beside those that are admitted there. It
 * is found out in steps, between which vlib_lock is free: with thousands of
 * reservations all of them take a second. One such trial is under way at a
 * time. Whoever wants another one goes on with this one meanwhile.
 *
 * What is admitted grows by the outcome of a trial alone, in the same hold of
 * the lock. So an outcome of "fits" holds, whatever was taken back meanwhile.
 */
#include "module.h"

/* In one hold of the lock: about 100 us. */
#define GATHERED_AT_ONCE 512    /* reservations looked at */
#define STEPS_AT_ONCE    2048   /* of the analysis */

/* Whoever began a trial and does not come back loses it. */
#define STALE MILLISECS(50)

static struct {
    const struct vlib_reservation *r;   /* NULL: none is under way */
    s_time_t budget, period;
    cpumask_t cpus, left;       /* that were asked for; without an outcome */
    unsigned int cpu;           /* that it is at */
    s_time_t touched;           /* by the caller that began it */
    enum vlib_outcome outcome;
    bool analysing;             /* or still gathering tasks */
    bool floor_in, own_in;      /* tasks has them */
    unsigned int place, n;      /* in vlib_order, in tasks */
    uint64_t revision;          /* of vlib_order, when it was begun to gather */
    struct vlib_analysis analysis;
    struct vlib_verdict verdict;
} trial;

static struct vlib_task tasks[VLIB_MAX_RESERVATIONS + 1];

static void add(unsigned int id, s_time_t budget, s_time_t period)
{
    tasks[trial.n++] = (struct vlib_task){ .id = id, .budget = budget,
                                           .period = period };
}

/* The floor goes before what has its period, the reservation after. */
static void add_special(s_time_t before)
{
    bool floor = !trial.floor_in && VLIB_FLOOR_PERIOD <= before;

    if ( floor && VLIB_FLOOR_PERIOD <= trial.period )
    {
        trial.floor_in = true;
        add(0, VLIB_FLOOR_BUDGET, VLIB_FLOOR_PERIOD);
    }
    if ( !trial.own_in && trial.period < before )
    {
        trial.own_in = true;
        add(trial.r->account.id, trial.budget, trial.period);
    }
    if ( floor && !trial.floor_in )
    {
        trial.floor_in = true;
        add(0, VLIB_FLOOR_BUDGET, VLIB_FLOOR_PERIOD);
    }
}

static void begin_cpu(void)
{
    trial.cpu = cpumask_any(&trial.left);
    trial.analysing = trial.floor_in = trial.own_in = false;
    trial.place = trial.n = 0;
    trial.revision = vlib_order_revision;
    if ( trial.cpu >= nr_cpu_ids )
        trial.outcome = VLIB_FITS;
}

/* Collects what is admitted on the CPU, in the order of periods. */
static void gather(void)
{
    unsigned int end;

    if ( trial.revision != vlib_order_revision )
        begin_cpu();
    end = min(trial.place + GATHERED_AT_ONCE, vlib_nr_reservations);
    for ( ; trial.place < end; trial.place++ )
    {
        const struct vlib_reservation *r = vlib_order[trial.place];
        const struct vlib_account *a = &r->account;

        if ( r == trial.r || !cpumask_test_cpu(trial.cpu, &a->admitted) )
            continue;
        add_special(a->server.period);
        add(a->id, a->server.budget, a->server.period);
    }
    if ( trial.place < vlib_nr_reservations )
        return;
    add_special(VLIB_NEVER);
    vlib_analysis_begin(&trial.analysis, tasks, trial.n, vlib_late());
    trial.analysing = true;
}

static void go_on(void)
{
    if ( trial.outcome != VLIB_UNDECIDED )
        return;
    if ( !trial.analysing )
    {
        gather();
        return;
    }
    switch ( vlib_analysis_continue(&trial.analysis, STEPS_AT_ONCE,
                                    &trial.verdict) )
    {
    case VLIB_UNDECIDED:
        break;
    case VLIB_FITS:
        cpumask_clear_cpu(trial.cpu, &trial.left);
        begin_cpu();
        break;
    case VLIB_MISSES:
        trial.outcome = VLIB_MISSES;
        break;
    }
}

static bool same(const struct vlib_reservation *r, s_time_t budget,
                 s_time_t period, const cpumask_t *cpus)
{
    return trial.r == r && trial.budget == budget && trial.period == period &&
           cpumask_equal(&trial.cpus, cpus);
}

static void begin(const struct vlib_reservation *r, s_time_t budget,
                  s_time_t period, const cpumask_t *cpus)
{
    trial.r = r;
    trial.budget = budget;
    trial.period = period;
    cpumask_copy(&trial.cpus, cpus);
    cpumask_copy(&trial.left, cpus);
    trial.outcome = VLIB_UNDECIDED;
    begin_cpu();
}

int vlib_trial(const struct vlib_reservation *r, s_time_t budget,
               s_time_t period, const cpumask_t *cpus,
               struct vlib_refusal *refusal)
{
    if ( !same(r, budget, period, cpus) )
    {
        if ( trial.r && NOW() - trial.touched < STALE )
        {
            go_on();
            return -ERESTART;
        }
        begin(r, budget, period, cpus);
    }
    trial.touched = NOW();
    go_on();
    if ( trial.outcome == VLIB_UNDECIDED )
        return -ERESTART;
    trial.r = NULL;
    if ( trial.outcome == VLIB_FITS )
        return 0;
    refusal->cpu = trial.cpu;
    refusal->misses = trial.verdict.id;
    refusal->response = trial.verdict.response;
    return -ENOSPC;
}

void vlib_trial_forget(const struct vlib_reservation *r)
{
    if ( trial.r == r )
        trial.r = NULL;
}
