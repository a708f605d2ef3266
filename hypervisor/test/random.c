/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random task sets on random CPUs: admitted tasks meet their deadlines
 * whatever the others do.
 *
 * Each set is made and run from one seed. A deadline is guaranteed to jobs
 * that run from arrival to completion without blocking: a task that blocks and
 * wakes delays its own refills.
 *
 * A change of C or T takes effect while work that the old values admitted is
 * still pending. So a job's deadline is checked only if its CPU, between the
 * last change and the job's arrival, had an instant without foreground.
 */
#include <inttypes.h>

#include "check.h"
#include "taskset.h"

#define SETS 100000
#define EVENTS 5 /* random operations, and spans of time, in a set */

static uint64_t jobs, checked;

static void show(void)
{
    unsigned int i;

    fprintf(stderr, "at %ld ns, timers late by up to %ld ns, %u CPUs\n",
            sim.now, sim.late, sim.cpus);
    for ( i = sim.cpus; i < sim.accounts; i++ )
        fprintf(stderr, "account %u: C %ld T %ld CPUs %#lx\n", i,
                sim.account[i].vlib.server.budget,
                sim.account[i].vlib.server.period,
                sim.account[i].vlib.admitted.word[0]);
    for ( i = 0; i < sim.tasks; i++ )
    {
        const struct task *t = &sim.task[i];

        fprintf(stderr, "task %u: CPU %u account %d%s%s%s work %ld\n", i,
                t->cpu, t->vlib.account ? (int)t->vlib.account->id : -1,
                t->job ? " job" : "", t->vlib.control ? " control" :
                t->vlib.spared ? " spared" : "",
                t->runnable ? " runnable" : "", t->work);
    }
}

static void woke(struct task *t)
{
    t->settled = sim.cpu[t->cpu].settled;
}

/*
 * Checks a job's deadline once the job is finished, or cannot finish in time.
 */
static void check_deadline(const struct task *t)
{
    const struct cpu *c = &sim.cpu[t->cpu];

    jobs++;
    if ( !t->settled || t->settled != c->changes )
        return;
    checked++;
    CHECK(sim.now <= t->arrival + t->vlib.account->server.period,
          "task %ld arrived at %ld, not done by %ld", (long)(t - sim.task),
          t->arrival, t->arrival + t->vlib.account->server.period);
}

static void blocked(struct task *t)
{
    if ( t->job )
        check_deadline(t);
    taskset_plan(t);
}

/* A task that has no job, and is not always runnable in the background. */
static struct task *any_task(struct seed *s)
{
    unsigned int i;

    for ( i = 0; sim.tasks && i < 8; i++ )
    {
        struct task *t = &sim.task[seed_range(s, 0, sim.tasks - 1)];

        if ( !t->job && (t->vlib.account || t->vlib.control ||
                         t->work != VLIB_NEVER) )
            return t;
    }
    return NULL;
}

/* An account without jobs. */
static struct account *any_account(struct seed *s)
{
    unsigned int n, i;

    if ( sim.accounts == sim.cpus )
        return NULL;
    n = seed_range(s, sim.cpus, sim.accounts - 1);
    for ( i = 0; i < sim.tasks; i++ )
        if ( sim.task[i].job &&
             sim.task[i].vlib.account == &sim.account[n].vlib )
            return NULL;
    return &sim.account[n];
}

static void set_throttle(struct seed *s)
{
    s_time_t period = taskset_period(s);

    sim_throttle(seed_range(s, 0, sim.cpus - 1), period,
                 seed_chance(s, 20) ? 0 : seed_range(s, 1, period));
}

static void change_account(struct seed *s, struct account *a)
{
    s_time_t period = seed_chance(s, 50) ? a->vlib.server.period
                                         : taskset_period(s);
    unsigned int cpu = seed_range(s, 0, sim.cpus - 1);

    if ( seed_chance(s, 70) )
        taskset_change(a, seed_range(s, 20000, period / 2), period);
    else if ( cpumask_test_cpu(cpu, &a->vlib.admitted) )
        sim_admit(a, cpu, false);
    else if ( taskset_fits(cpu, a, a->vlib.server.budget,
                           a->vlib.server.period) )
        sim_admit(a, cpu, true);
}

/* Re-admits all jobs' tasks, whose values do not change. */
static void readmit_jobs(void)
{
    unsigned int i;

    for ( i = 0; i < sim.tasks; i++ )
        if ( sim.task[i].job )
            sim_attach(&sim.task[i], sim_account_of(&sim.task[i]));
}

static void operate(struct seed *s)
{
    struct task *t = any_task(s);
    struct account *a = any_account(s);

    switch ( seed_range(s, 0, 10) )
    {
    case 0:
        set_throttle(s);
        break;
    case 1:
        if ( a )
            change_account(s, a);
        break;
    case 2:
        if ( t && (a || t->work != VLIB_NEVER || t->vlib.control) )
            sim_attach(t, a);
        break;
    case 3:
        if ( t )
            sim_migrate(t, seed_range(s, 0, sim.cpus - 1));
        break;
    case 4:
        if ( t && t->runnable && t->work != VLIB_NEVER )
        {
            sim_sleep(t);
            taskset_plan(t);
        }
        break;
    case 5:
        if ( t && t->work != VLIB_NEVER )
            sim_wake(t, t->work);
        break;
    case 6:
        if ( t && t->runnable && t->work != VLIB_NEVER )
            sim_yield(t);
        break;
    case 7:
        sim_idle(seed_range(s, 0, sim.cpus - 1));
        break;
    case 8:
        if ( a )
            sim_charge(a, seed_range(s, 1, 3 * a->vlib.server.budget));
        break;
    case 9:
        if ( t )
            sim_spare(t, seed_chance(s, 50));
        break;
    default:
        readmit_jobs();
        break;
    }
}

static bool spins(const struct task *t)
{
    return t->runnable && t->work == VLIB_NEVER && !t->vlib.account &&
           !t->vlib.control;
}

/* What t's domain has had on its CPU. */
static s_time_t domain_had(const struct task *t)
{
    s_time_t sum = 0;
    unsigned int i;

    for ( i = 0; i < sim.tasks; i++ )
        if ( sim.task[i].cpu == t->cpu &&
             sim.task[i].vlib.groups == t->vlib.groups )
            sum += sim.task[i].spent.background;
    return sum;
}

/*
 * Two tasks that are always in the background have had the same time if they
 * are of one domain; otherwise their domains have.
 */
static void check_fair(void)
{
    unsigned int i, j;

    for ( i = 0; i < sim.tasks; i++ )
        for ( j = 0; j < i; j++ )
        {
            const struct task *a = &sim.task[i], *b = &sim.task[j];
            s_time_t had = a->spent.background, other = b->spent.background;

            if ( a->cpu != b->cpu || !spins(a) || !spins(b) )
                continue;
            if ( a->vlib.groups != b->vlib.groups )
            {
                had = domain_had(a);
                other = domain_had(b);
            }
            CHECK(llabs(had - other) <= VLIB_SLICE + sim.late,
                  "tasks %u and %u: %ld and %ld ns", i, j, had, other);
        }
}

static void run_set(uint64_t seed)
{
    struct seed s = { seed };
    s_time_t longest = 0;
    unsigned int i;

    check_seed = seed;
    sim_init(seed_chance(&s, 60) ? 1 : seed_range(&s, 2, 3),
             seed_chance(&s, 30) ? 0 : seed_range(&s, 0, 50000),
             seed_next(&s));
    sim.scale = seed_range(&s, 0, 4);
    sim.blocked = blocked;
    sim.woke = woke;
    taskset_make(&s);
    for ( i = 0; i < sim.cpus; i++ )
        sim.cpu[i].settled = sim.cpu[i].changes;
    for ( i = sim.cpus; i < sim.accounts; i++ )
        longest = max(longest, sim.account[i].vlib.server.period);
    for ( i = 0; i < EVENTS; i++ )
    {
        sim_run(sim.now + seed_range(&s, 1, longest + 1000000));
        check_fair();
        operate(&s);
    }
    sim_run(sim.now + longest);
    check_fair();
    for ( i = 0; i < sim.tasks; i++ )
        if ( sim.task[i].job && sim.task[i].runnable )
            check_deadline(&sim.task[i]);
    sim_finish();
}

int main(int argc, char **argv)
{
    uint64_t only = check_argument(argc, argv), set, decisions = 0;

    check_show = show;
    for ( set = only ?: 1; set <= (only ?: SETS); set++ )
    {
        run_set(set);
        decisions += sim.decisions;
    }
    printf("random: passed, %"PRIu64" sets, %"PRIu64" decisions, "
           "%"PRIu64" of %"PRIu64" jobs with a deadline to keep\n",
           only ? 1 : set - 1, decisions, checked, jobs);
    return 0;
}
