/* SPDX-License-Identifier: GPL-2.0-only */
#include "admit.h"
#include "taskset.h"

int64_t taskset_period(struct seed *s)
{
    int64_t unit = 200000LL << (sim.scale + seed_range(s, 0, 2));

    return seed_chance(s, 30) ? unit : seed_range(s, unit, 2 * unit);
}

bool taskset_fits(unsigned int cpu, const struct account *a, s_time_t budget,
                  s_time_t period)
{
    struct vlib_task list[MAX_ACCOUNTS];
    struct vlib_verdict verdict;
    const struct vlib_server *floor = &sim.cpu[cpu].queue.floor.server;
    unsigned int i, n = 0;

    list[n++] = (struct vlib_task){ 0, floor->budget, floor->period };
    list[n++] = (struct vlib_task){ a->vlib.id, budget, period };
    for ( i = sim.cpus; i < sim.accounts; i++ )
    {
        const struct vlib_account *o = &sim.account[i].vlib;

        if ( o != &a->vlib && cpumask_test_cpu(cpu, &o->admitted) )
            list[n++] = (struct vlib_task){ o->id, o->server.budget,
                                            o->server.period };
    }
    return admit(list, n, sim.late, &verdict);
}

bool taskset_change(struct account *a, s_time_t budget, s_time_t period)
{
    unsigned int cpu;

    for_each_cpu ( cpu, &a->vlib.admitted )
        if ( !taskset_fits(cpu, a, budget, period) )
            return false;
    sim_change(a, budget, period);
    return true;
}

/* Admits a if it fits; tries smaller and smaller budgets. */
static bool try_admit(struct account *a, unsigned int cpu)
{
    s_time_t budget = a->vlib.server.budget;

    for ( ; budget > 20000; budget = budget * 3 / 4 )
    {
        if ( !taskset_fits(cpu, a, budget, a->vlib.server.period) )
            continue;
        if ( budget != a->vlib.server.budget &&
             !taskset_change(a, budget, a->vlib.server.period) )
            continue;
        sim_admit(a, cpu, true);
        return true;
    }
    return false;
}

static struct account *random_account(struct seed *s)
{
    s_time_t period = taskset_period(s);
    s_time_t most = period * seed_range(s, 10, 90) / 100;
    s_time_t budget = seed_range(s, 20000, most);

    return sim_account(budget, period);
}

void taskset_plan(struct task *t)
{
    struct seed *s = &sim.seed;
    const struct vlib_server *v = t->vlib.account ? &t->vlib.account->server
                                                  : NULL;
    s_time_t budget = v ? v->budget : 1000000, period = v ? v->period : 5000000;

    if ( t->job )
    {
        s_time_t pause = seed_chance(s, 60) ? 0 : seed_range(s, 0, period);

        t->wake = t->arrival = max(t->arrival + period + pause, sim.now);
        t->work = seed_chance(s, 50) ? budget : seed_range(s, 1, budget);
        return;
    }
    t->wake = sim.now + seed_range(s, 1, seed_chance(s, 50) ? period
                                                             : period / 20);
    t->work = seed_range(s, 1, seed_chance(s, 50) ? 3 * budget : budget / 4);
}

/* Tasks with jobs, each on an account of its own. */
static void make_jobs(struct seed *s)
{
    unsigned int n = seed_range(s, 1, 4) + sim.cpus - 1;

    while ( n-- )
    {
        struct account *a = random_account(s);
        unsigned int cpu = seed_range(s, 0, sim.cpus - 1);
        struct task *t;

        if ( !try_admit(a, cpu) )
            continue;
        t = sim_task(cpu, a, seed_chance(s, 10));
        t->job = true;
        t->arrival = -a->vlib.server.period;
        if ( seed_chance(s, 50) )
            t->arrival += seed_range(s, 0, a->vlib.server.period);
        taskset_plan(t);
    }
}

/* Tasks whose accounts may be on several CPUs, and not admitted on some. */
static void make_greedy(struct seed *s)
{
    unsigned int n = seed_range(s, 0, 3), i, cpu;

    while ( n-- )
    {
        struct account *a = random_account(s);

        for ( cpu = 0; cpu < sim.cpus; cpu++ )
            if ( seed_chance(s, 80) )
                try_admit(a, cpu);
        for ( i = seed_range(s, 1, sim.cpus + 1); i; i-- )
        {
            struct task *t = sim_task(seed_range(s, 0, sim.cpus - 1), a,
                                      seed_chance(s, 10));

            if ( seed_chance(s, 30) )
                sim_wake(t, VLIB_NEVER);
            else
                taskset_plan(t);
        }
    }
}

/* Tasks of a few domains that are always runnable. */
static void make_spinners(struct seed *s)
{
    struct task *last = NULL;
    unsigned int n;

    for ( n = seed_range(s, 0, 4); n; n-- )
    {
        unsigned int cpu = seed_range(s, 0, sim.cpus - 1);

        last = last && seed_chance(s, 40) ? sim_sibling(last, cpu, NULL)
                                          : sim_task(cpu, NULL, false);
        sim_wake(last, VLIB_NEVER);
    }
}

static void make_others(struct seed *s)
{
    unsigned int n;

    make_spinners(s);
    for ( n = seed_range(s, 0, 2); n; n-- )
        taskset_plan(sim_task(seed_range(s, 0, sim.cpus - 1), NULL, false));
    for ( n = seed_range(s, 0, 2); n; n-- )
    {
        struct task *t = sim_task(seed_range(s, 0, sim.cpus - 1), NULL, true);

        if ( seed_chance(s, 50) )
            sim_wake(t, VLIB_NEVER);
        else
            taskset_plan(t);
    }
}

void taskset_make(struct seed *s)
{
    make_jobs(s);
    make_greedy(s);
    make_others(s);
}
