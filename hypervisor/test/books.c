/* SPDX-License-Identifier: GPL-2.0-only */
/* The simulator's own accounts, and their comparison with the runqueues'. */
#include "check.h"
#include "simulator.h"

/*
 * The most foreground time that a window of one period may see: C, or twice
 * that if a task with a shorter or equal period may have delayed the first C.
 * A late timer may let the first begin late, and the last end late.
 */
static s_time_t most(const struct account *a)
{
    s_time_t budget = a->vlib.server.budget;
    unsigned int i, cpu;

    if ( sim.now < sim.changed + 2 * a->vlib.server.period ||
         a->vlib.server.period >= VLIB_FLOOR_PERIOD )
        return 2 * (budget + sim.late);
    for ( i = 0; i < sim.accounts; i++ )
    {
        const struct account *o = &sim.account[i];

        if ( o == a || o->vlib.server.period > a->vlib.server.period )
            continue;
        for_each_cpu ( cpu, &a->vlib.admitted )
            if ( cpumask_test_cpu(cpu, &o->vlib.admitted) )
                return 2 * (budget + sim.late);
    }
    return budget + 2 * sim.late;
}

void books_run(struct cpu *c, struct task *t, s_time_t to)
{
    struct account *a = sim_account_of(t);
    s_time_t used = to - sim.now;

    if ( t->work != VLIB_NEVER )
        t->work -= used;
    if ( !t->vlib.foreground )
    {
        t->spent.background += used;
        c->spent.background += used;
        if ( a )
            a->spent.background += used;
        return;
    }
    t->spent.foreground += used;
    c->spent.foreground += used;
    a->spent.foreground += used;
    if ( a != c->floor )
        window_add(a, sim.now, to, most(a));
}

void books_denied(const struct cpu *c, s_time_t denied)
{
    unsigned int i;

    for ( i = 0; i < sim.tasks; i++ )
    {
        struct task *t = &sim.task[i];
        struct account *a = sim_account_of(t);

        if ( t->vlib.queue != &c->queue || !t->vlib.ready.queued ||
             t->vlib.foreground || t->vlib.spared )
            continue;
        t->spent.throttled += denied;
        if ( a )
            a->spent.throttled += denied;
    }
}

void books_deschedule(const struct vlib_entity *last)
{
    task_of(last)->spent.deschedules++;
    if ( last->account )
        sim_account_of(task_of(last))->spent.deschedules++;
}

static void compare(const char *what, unsigned int n,
                    const struct vlib_usage *has,
                    const struct vlib_usage *want)
{
    CHECK(has->foreground == want->foreground, "%s %u: %lu, %lu ns", what, n,
          has->foreground, want->foreground);
    CHECK(has->background == want->background, "%s %u: %lu, %lu ns", what, n,
          has->background, want->background);
    CHECK(has->throttled == want->throttled, "%s %u: %lu, %lu ns", what, n,
          has->throttled, want->throttled);
    CHECK(has->deschedules == want->deschedules, "%s %u: %lu, %lu", what, n,
          has->deschedules, want->deschedules);
}

void sim_finish(void)
{
    unsigned int i;

    for ( i = 0; i < sim.tasks; i++ )
        sim_sleep(&sim.task[i]); /* counts what it was denied so far */
    for ( i = 0; i < sim.cpus; i++ )
    {
        struct vlib_runqueue *q = &sim.cpu[i].queue;

        vlib_charge(q, sim.now);
        CHECK(q->foreground_time == sim.cpu[i].spent.foreground &&
              q->background_time == sim.cpu[i].spent.background &&
              q->idle_time == sim.cpu[i].idle, "CPU %u", i);
        CHECK(q->foreground_time + q->background_time + q->idle_time ==
              (uint64_t)(sim.now - sim.cpu[i].began), "CPU %u", i);
        CHECK(q->overrun <= sim.late, "CPU %u: %ld ns", i,
              q->overrun);
        compare("floor", i, &q->floor.usage, &sim.cpu[i].floor->spent);
    }
    for ( i = 0; i < sim.tasks; i++ )
        compare("task", i, &sim.task[i].vlib.usage, &sim.task[i].spent);
    for ( i = sim.cpus; i < sim.accounts; i++ )
        compare("account", i, &sim.account[i].vlib.usage,
                &sim.account[i].spent);
}
