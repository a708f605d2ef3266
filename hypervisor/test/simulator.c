/* SPDX-License-Identifier: GPL-2.0-only */
#include "check.h"
#include "simulator.h"

struct simulator sim;

static s_time_t lateness(void)
{
    return sim.always_late ? sim.late : seed_range(&sim.seed, 0, sim.late);
}

void vlib_kick(unsigned int cpu)
{
    CHECK(cpu < sim.cpus, "kick of CPU %u", cpu);
    sim.cpu[cpu].kicked = true;
}

void vlib_replan(unsigned int cpu, s_time_t until)
{
    struct cpu *c = &sim.cpu[cpu];

    if ( c->timer > until ) /* an earlier decision stays planned */
        c->timer = until + lateness();
    c->stint = c->denied = c->wasted = 0;
}

void sim_init(unsigned int cpus, s_time_t late, uint64_t seed)
{
    unsigned int i;

    memset(&sim, 0, sizeof(sim));
    sim.late = late;
    sim.seed.state = seed;
    sim.cpus = cpus;
    for ( i = 0; i < cpus; i++ )
    {
        struct cpu *c = &sim.cpu[i];

        vlib_runqueue_init(&c->queue, i, sim.now);
        c->floor = &sim.account[sim.accounts++];
        c->timer = VLIB_NEVER;
        c->settled = c->changes = 1;
    }
}

struct account *sim_account(s_time_t budget, s_time_t period)
{
    struct account *a = &sim.account[sim.accounts];

    vlib_account_init(&a->vlib, sim.accounts++, budget, period, sim.now);
    return a;
}

static struct task *add_task(unsigned int cpu, struct account *a, bool control,
                             struct vlib_group *groups)
{
    struct task *t = &sim.task[sim.tasks++];

    CHECK(sim.tasks <= MAX_TASKS, "too many tasks");
    vlib_entity_init(&t->vlib, groups ?: t->groups, control);
    vlib_attach(&t->vlib, a ? &a->vlib : NULL, sim.now);
    t->cpu = cpu;
    t->wake = VLIB_NEVER;
    return t;
}

struct task *sim_task(unsigned int cpu, struct account *a, bool control)
{
    return add_task(cpu, a, control, NULL);
}

struct task *sim_sibling(struct task *of, unsigned int cpu, struct account *a)
{
    return add_task(cpu, a, of->vlib.control, of->vlib.groups);
}

struct account *sim_account_of(const struct task *t)
{
    if ( t->vlib.account )
        return container_of(t->vlib.account, struct account, vlib);
    return t->vlib.control ? sim.cpu[t->cpu].floor : NULL;
}

void sim_wake(struct task *t, s_time_t work)
{
    struct cpu *c = &sim.cpu[t->cpu];

    if ( t->runnable )
        return;
    t->runnable = true;
    t->work = work;
    t->wake = VLIB_NEVER;
    if ( sim.woke )
        sim.woke(t);
    vlib_enqueue(&c->queue, &t->vlib, sim.now);
    if ( vlib_preempts(&c->queue, &t->vlib) )
        c->kicked = true;
}

void sim_sleep(struct task *t)
{
    struct cpu *c = &sim.cpu[t->cpu];

    if ( !t->runnable )
        return;
    if ( c->queue.running == &t->vlib )
        c->kicked = true;
    t->runnable = false;
    vlib_dequeue(&c->queue, &t->vlib, sim.now);
}

void sim_yield(struct task *t)
{
    struct cpu *c = &sim.cpu[t->cpu];

    if ( c->queue.running != &t->vlib )
        return;
    vlib_yielded(&c->queue, &t->vlib);
    c->kicked = true;
}

void sim_migrate(struct task *t, unsigned int cpu)
{
    s_time_t wake = t->wake;
    bool runnable = t->runnable;

    sim_sleep(t);
    t->cpu = cpu;
    if ( runnable )
        sim_wake(t, t->work);
    t->wake = wake;
}

void sim_attach(struct task *t, struct account *a)
{
    vlib_attach(&t->vlib, a ? &a->vlib : NULL, sim.now);
}

void sim_spare(struct task *t, bool spared)
{
    vlib_spare(&t->vlib, spared, sim.now);
}

/* Re-evaluates tasks that run on a, as is necessary after any change of it. */
static void requeue(struct account *a)
{
    unsigned int i;

    a->window.count = a->window.sum = 0;
    sim.changed = sim.now;
    for ( i = 0; i < sim.tasks; i++ )
        if ( sim.task[i].vlib.account == &a->vlib )
            sim_attach(&sim.task[i], a);
}

void sim_admit(struct account *a, unsigned int cpu, bool admitted)
{
    if ( admitted )
        cpumask_set_cpu(cpu, &a->vlib.admitted);
    else
        cpumask_clear_cpu(cpu, &a->vlib.admitted);
    requeue(a);
}

void sim_change(struct account *a, s_time_t budget, s_time_t period)
{
    unsigned int cpu;

    for ( cpu = 0; cpu < sim.cpus; cpu++ )
    {
        vlib_charge(&sim.cpu[cpu].queue, sim.now);
        if ( cpumask_test_cpu(cpu, &a->vlib.admitted) )
        {
            sim.cpu[cpu].changes++;
            sim.cpu[cpu].settled = 0;
        }
    }
    vlib_server_change(&a->vlib.server, budget, period, sim.now);
    requeue(a);
}

void sim_charge(struct account *a, s_time_t used)
{
    vlib_account_charge(&a->vlib, used, sim.now);
    a->spent.foreground += used;
}

void sim_throttle(unsigned int cpu, s_time_t period, s_time_t idle)
{
    struct vlib_runqueue *q = &sim.cpu[cpu].queue;

    vlib_charge(q, sim.now);
    q->period = period;
    q->idle = idle;
    vlib_kick(cpu);
}

static void advance(s_time_t to)
{
    unsigned int i;

    for ( i = 0; i < sim.cpus; i++ )
    {
        struct cpu *c = &sim.cpu[i];
        const struct vlib_entity *e = c->queue.running;

        invariants_passing(c, to);
        if ( e )
            books_run(c, task_of(e), to);
        else
            c->idle += to - sim.now;
        if ( c->queue.denying )
            books_denied(c, to - sim.now);
        if ( sim.ran )
            sim.ran(c, e, sim.now, to);
    }
    sim.now = to;
}

static s_time_t next_event(s_time_t until)
{
    unsigned int i;

    for ( i = 0; i < sim.cpus; i++ )
    {
        const struct vlib_entity *e = sim.cpu[i].queue.running;

        until = min(until, sim.cpu[i].timer);
        if ( e && task_of(e)->work != VLIB_NEVER )
            until = min(until, sim.now + task_of(e)->work);
    }
    for ( i = 0; i < sim.tasks; i++ )
        if ( !sim.task[i].runnable )
            until = min(until, sim.task[i].wake);
    return until;
}

void sim_renew(unsigned int cpu)
{
    struct cpu *c = &sim.cpu[cpu];
    unsigned int i;

    for ( i = 0; i < sim.tasks; i++ )
        CHECK(sim.task[i].cpu != cpu || !sim.task[i].runnable,
              "task %u is there", i);
    memset(&c->spent, 0, sizeof(c->spent));
    memset(&c->floor->spent, 0, sizeof(c->floor->spent));
    c->idle = 0;
    c->began = sim.now;
    vlib_runqueue_init(&c->queue, cpu, sim.now);
}

void sim_idle(unsigned int cpu)
{
    struct cpu *c = &sim.cpu[cpu];

    if ( c->queue.running )
        books_deschedule(c->queue.running);
    vlib_idle(&c->queue, sim.now);
    CHECK(!c->queue.running, "CPU %u is not idle", cpu);
    c->timer = VLIB_NEVER;
    c->kicked = true;
}

static void decide(struct cpu *c)
{
    const struct vlib_entity *last = c->queue.running, *next;
    s_time_t until;

    c->kicked = false;
    next = vlib_decide(&c->queue, sim.now, &until);
    c->timer = until == VLIB_NEVER ? VLIB_NEVER : until + lateness();
    c->stint = c->denied = c->wasted = 0;
    if ( !next || !next->foreground )
        c->settled = c->changes;
    if ( last && last != next )
        books_deschedule(last);
    sim.decisions++;
    invariants_decided(c, until);
}

static void block_finished(void)
{
    unsigned int i;

    for ( i = 0; i < sim.cpus; i++ )
    {
        const struct vlib_entity *e = sim.cpu[i].queue.running;

        if ( !e || task_of(e)->work )
            continue;
        sim_sleep(task_of(e));
        if ( sim.blocked )
            sim.blocked(task_of(e));
    }
}

static void decide_all(void)
{
    unsigned int i, again;

    do {
        for ( i = again = 0; i < sim.cpus; i++ )
            if ( sim.cpu[i].kicked || sim.cpu[i].timer <= sim.now )
            {
                decide(&sim.cpu[i]);
                again = 1;
            }
    } while ( again );
}

void sim_run(s_time_t until)
{
    unsigned int i;

    decide_all();
    while ( sim.now < until )
    {
        advance(next_event(until));
        block_finished();
        for ( i = 0; i < sim.tasks; i++ )
            if ( !sim.task[i].runnable && sim.task[i].wake <= sim.now )
                sim_wake(&sim.task[i], sim.task[i].work);
        decide_all();
    }
}
