/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trial decides whether a reservation fits on CPUs, beside those that are
 * admitted there. It runs in steps, between which vlib_lock is free: with
 * thousands of reservations all steps take a second. One trial at a time is
 * under way; a caller that wants another one advances this one first.
 *
 * Only a trial's outcome makes the admitted set grow, in the same critical
 * section. So an outcome of "fits" holds, whatever is removed meanwhile.
 */
#include "module.h"

/* Limits for one critical section: about 100 us. */
#define GATHERED_AT_ONCE 512    /* reservations examined */
#define STEPS_AT_ONCE    2048   /* steps of the analysis */

/* A trial whose caller does not come back for so long is discarded. */
#define STALE MILLISECS(50)

static struct {
    const struct vlib_reservation *r;   /* NULL: no trial is under way */
    s_time_t budget, period;
    cpumask_t cpus, left;       /* asked for; still without an outcome */
    unsigned int cpu;           /* the one being examined */
    s_time_t touched;           /* last call of the one that began it */
    enum vlib_outcome outcome;
    bool analysing;             /* false: gathering tasks */
    bool floor_in, own_in;      /* tasks contains them */
    unsigned int place, n;      /* next in vlib_order; number of tasks */
    uint64_t revision;          /* of vlib_order, when gathering began */
    struct vlib_analysis analysis;
    struct vlib_verdict verdict;
} trial;

static struct vlib_task tasks[VLIB_MAX_RESERVATIONS + 1];

static void add(unsigned int id, s_time_t budget, s_time_t period)
{
    tasks[trial.n++] = (struct vlib_task){ .id = id, .budget = budget,
                                           .period = period };
}

/* Equal periods: the floor goes first, and the new reservation last. */
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

/* Collects reservations admitted on the CPU, in order of their periods. */
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

static void advance(void)
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
            advance();
            return -ERESTART;
        }
        begin(r, budget, period, cpus);
    }
    trial.touched = NOW();
    advance();
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
