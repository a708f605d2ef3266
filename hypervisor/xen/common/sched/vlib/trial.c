/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A trial decides whether the servers of a reservation fit on CPUs, beside
 * those that are admitted there, and on which CPUs. It runs in steps, between
 * which vlib_lock is free: with thousands of reservations all steps take a
 * second. One trial at a time is under way; a caller that wants another one
 * advances this one first.
 *
 * Only a trial's outcome makes the admitted set grow, in the same critical
 * section. So an outcome of "fits" holds, whatever is removed meanwhile.
 */
#include "trial.h"

/* Limits for one critical section: about 100 us. */
#define GATHERED_AT_ONCE 512    /* reservations and servers examined */
#define STEPS_AT_ONCE    2048   /* steps of the analysis */

/* A trial whose caller does not come back for so long is discarded. */
#define STALE MILLISECS(50)

#define trial vlib_trial_state
struct vlib_trial_state vlib_trial_state;

static struct vlib_task tasks[VLIB_MAX_RESERVATIONS + 1];

static void add(unsigned int id, s_time_t budget, s_time_t period)
{
    tasks[trial.n++] = (struct vlib_task){ .id = id, .budget = budget,
                                           .period = period };
}

/* Equal periods: the floor goes first, and the new servers last. */
static void add_special(s_time_t before)
{
    bool floor = !trial.floor_in && VLIB_FLOOR_PERIOD <= before;
    unsigned int i;

    if ( floor && VLIB_FLOOR_PERIOD <= trial.q.period )
    {
        trial.floor_in = true;
        add(0, VLIB_FLOOR_BUDGET, VLIB_FLOOR_PERIOD);
    }
    if ( !trial.own_in && trial.q.period < before )
    {
        trial.own_in = true;
        for ( i = 0; i < trial.asked[trial.cpu]; i++ )
            add(trial.q.r->id, trial.q.budget, trial.q.period);
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

/* Collects servers admitted on the CPU, in order of their periods. */
static void gather(void)
{
    unsigned int looks = 0, i;

    if ( trial.revision != vlib_order_revision )
        begin_cpu();
    for ( ; trial.place < vlib_nr_reservations; trial.place++ )
    {
        const struct vlib_reservation *r = vlib_order[trial.place];

        if ( looks >= GATHERED_AT_ONCE )
            return;
        looks++;
        if ( r == trial.q.r || !cpumask_test_cpu(trial.cpu, &r->cpus) )
            continue;
        looks += r->nr_servers;
        for ( i = 0; i < r->nr_servers; i++ )
        {
            const struct vlib_account *a = r->server[i];

            if ( !cpumask_test_cpu(trial.cpu, &a->admitted) )
                continue;
            add_special(a->server.period);
            add(r->id, a->server.budget, a->server.period);
        }
    }
    add_special(VLIB_NEVER);
    vlib_analysis_begin(&trial.analysis, tasks, trial.n, vlib_late());
    vlib_analysis_from(&trial.analysis, trial.q.period);
    trial.analysing = true;
}

static void advance(void)
{
    if ( trial.outcome != VLIB_UNDECIDED )
        return;
    if ( trial.planning )
    {
        vlib_plan_continue();
        if ( !trial.planning )
            begin_cpu();
        return;
    }
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
        if ( vlib_plan_relieve(trial.cpu) )
            begin_cpu();
        else
            trial.outcome = VLIB_MISSES;
        break;
    }
}

static uint64_t places;

static void digest(struct vlib_unit *vu)
{
    places = vlib_plan_digest(places, vlib_unit_place(vu));
}

/* Whether the vCPUs are where they were when the trial began. */
static bool unmoved(void)
{
    places = 0;
    vlib_each_user(trial.q.r, trial.q.added, digest);
    return places == trial.places;
}

static bool same(const struct vlib_query *q)
{
    return trial.q.r == q->r && trial.q.budget == q->budget &&
           trial.q.period == q->period && trial.q.servers == q->servers &&
           trial.q.only == q->only && trial.q.added == q->added &&
           trial.q.leave == q->leave && trial.q.first == q->first &&
           unmoved();
}

static void begin(const struct vlib_query *q)
{
    trial.q = *q;
    trial.number++;
    trial.places = 0;
    trial.outcome = VLIB_UNDECIDED;
    vlib_plan_begin();
    if ( q->leave && !vlib_plan_relieve(q->leave) )
        trial.outcome = VLIB_MISSES;
    else if ( !trial.planning )
        begin_cpu();
}

int vlib_trial(const struct vlib_query *q, struct vlib_refusal *refusal)
{
    if ( !same(q) )
    {
        if ( trial.q.r && NOW() - trial.touched < STALE )
        {
            advance();
            return -ERESTART;
        }
        begin(q);
    }
    trial.touched = NOW();
    advance();
    if ( trial.outcome == VLIB_UNDECIDED )
        return -ERESTART;
    trial.q.r = NULL;
    if ( trial.outcome == VLIB_FITS )
        return 0;
    refusal->cpu = trial.cpu;
    refusal->server = vlib_plan_last_on(trial.cpu);
    refusal->misses = trial.verdict.id;
    refusal->response = trial.verdict.response;
    return -ENOSPC;
}

const cpumask_t *vlib_trial_need(unsigned int server)
{
    return &trial.need[server];
}

void vlib_trial_move(void)
{
    struct vlib_unit *vu;

    if ( !trial.movable )
        return;
    list_for_each_entry ( vu, &trial.movable->units, list )
        if ( vu->planned == trial.number && vu->goal != vlib_unit_place(vu) )
            vlib_unit_send(vu, vu->goal);
}

void vlib_trial_forget(const struct vlib_reservation *r,
                       const struct vlib_domain *vd)
{
    if ( trial.q.r && (trial.q.r == r || (vd && (trial.q.added == vd ||
                                                 trial.movable == vd))) )
        trial.q.r = NULL;
    vlib_room_forget(r, vd);
}
