/* SPDX-License-Identifier: GPL-2.0-only */
/* Invariants of every runqueue. */
#include "check.h"
#include "simulator.h"

static const struct vlib_node *root(const struct vlib_node *n)
{
    while ( n->parent )
        n = n->parent;
    return n;
}

static const struct vlib_account *account_of(const struct task *t)
{
    if ( t->vlib.account )
        return t->vlib.account;
    return t->vlib.control ? &sim.cpu[t->cpu].queue.floor : NULL;
}

static bool has_budget(const struct task *t)
{
    const struct vlib_account *a = account_of(t);

    return a && cpumask_test_cpu(t->cpu, &a->admitted) &&
           vlib_server_left(&a->server, sim.now) > 0;
}

static bool holder_elsewhere(const struct task *t)
{
    const struct vlib_account *a = account_of(t);

    return a->holder && a->holder->queue != t->vlib.queue;
}

/* A queued task is on the heaps where it belongs, and on no other. */
static void queued(const struct cpu *c, const struct task *t)
{
    const struct vlib_runqueue *q = &c->queue;
    const struct vlib_entity *e = &t->vlib;
    const struct vlib_group *g = &e->groups[q->cpu];
    const struct vlib_heap *h = e->foreground ? &q->foreground
                                              : &g->member[e->spared];
    bool contends = !list_empty(&e->contends);
    unsigned int n = t - sim.task;

    CHECK(e->ready.queued && root(&e->ready) == h->first,
          "task %u is on the wrong heap", n);
    if ( !e->foreground )
        CHECK(g->node[e->spared].queued && root(&g->node[e->spared]) ==
              (e->spared ? q->spared.first : q->background.first) &&
              g->node[e->spared].key == g->share, "task %u: its domain", n);
    CHECK(!e->refill.queued || root(&e->refill) == q->refills.first,
          "task %u waits for a refill elsewhere", n);
    if ( e->foreground )
    {
        CHECK(!e->refill.queued && !contends, "task %u waits with budget", n);
        return;
    }
    if ( has_budget(t) )
        CHECK(holder_elsewhere(t), "task %u has budget", n);
    if ( !account_of(t) || !cpumask_test_cpu(t->cpu, &account_of(t)->admitted) )
        CHECK(!e->refill.queued && !contends, "task %u waits unadmitted", n);
    else
        CHECK(e->refill.queued != contends, "task %u waits wrongly", n);
    if ( e->refill.queued )
        CHECK(e->refill.key > sim.now &&
              e->refill.key <= vlib_server_next(&account_of(t)->server),
              "task %u: refill at %ld", n, e->refill.key);
}

static void running(const struct cpu *c, const struct task *t)
{
    const struct vlib_entity *e = &t->vlib;
    const struct vlib_entity *other;
    unsigned int n = t - sim.task;

    CHECK(!e->ready.queued && !e->refill.queued && list_empty(&e->contends),
          "task %u runs and is queued", n);
    if ( e->foreground )
    {
        CHECK(has_budget(t) && account_of(t)->holder == e,
              "task %u is not the holder", n);
        if ( !c->queue.foreground.first )
            return;
        other = container_of(c->queue.foreground.first, struct vlib_entity,
                             ready);
        CHECK(account_of(t)->server.period <= other->ready.key,
              "task %u runs before a shorter period", n);
        return;
    }
    CHECK(!c->queue.foreground.first,
          "task %u runs instead of the foreground", n);
    if ( has_budget(t) )
        CHECK(holder_elsewhere(t), "task %u has budget", n);
}

/* The part of [from, to) in which the throttle denies background time. */
static s_time_t denied(const struct vlib_runqueue *q, s_time_t from,
                       s_time_t to)
{
    s_time_t sum = 0, begin;

    if ( !q->idle )
        return 0;
    for ( begin = from - from % q->period; begin < to; begin += q->period )
        sum += max(min(to, begin + q->idle) - max(from, begin), (s_time_t)0);
    return sum;
}

static void chosen(const struct cpu *c)
{
    const struct vlib_runqueue *q = &c->queue;
    bool denies = denied(q, sim.now, sim.now + 1);

    if ( !q->running )
    {
        CHECK(!q->foreground.first && !q->spared.first, "CPU %u idles", q->cpu);
        CHECK(denies || !q->background.first, "CPU %u is idle", q->cpu);
    }
    else if ( !q->running->foreground && !q->running->spared )
        CHECK(!denies, "CPU %u runs a denied task", q->cpu);
    CHECK(!q->refills.first || q->refills.first->key > sim.now,
          "CPU %u missed a refill", q->cpu);
}

/* An account's holder is in the foreground, and runs on that account. */
static void holders(const struct cpu *c)
{
    unsigned int i;

    for ( i = sim.cpus; i < sim.accounts; i++ )
    {
        const struct vlib_account *a = &sim.account[i].vlib;

        if ( a->holder && a->holder->queue == &c->queue )
            CHECK(a->holder->foreground && a->holder->account == a,
                  "account %u has an idle holder", i);
    }
}

void invariants_decided(const struct cpu *c, s_time_t until)
{
    unsigned int i;

    CHECK(until > sim.now, "the next decision is in the past: %ld", until);
    chosen(c);
    holders(c);
    for ( i = 0; i < sim.tasks; i++ )
    {
        const struct task *t = &sim.task[i];

        CHECK(t->runnable == !!t->vlib.queue, "task %u: queue", i);
        if ( !t->runnable )
            CHECK(!t->vlib.ready.queued && !t->vlib.refill.queued &&
                  list_empty(&t->vlib.contends), "task %u sleeps, queued", i);
        if ( t->vlib.queue != &c->queue )
            continue;
        if ( c->queue.running == &t->vlib )
            running(c, t);
        else
            queued(c, t);
    }
}

/* A task waits in the background and is not denied background time. */
static bool waits(const struct cpu *c)
{
    return c->queue.spared.first ||
           (c->queue.background.first && !c->queue.idle);
}

static void background_passing(struct cpu *c, const struct vlib_entity *e,
                               s_time_t to)
{
    unsigned int n = task_of(e) - sim.task;

    c->stint = waits(c) ? c->stint + to - sim.now : 0;
    CHECK(c->stint <= VLIB_SLICE + sim.late,
          "task %u ran %ld ns while others waited", n, c->stint);
    if ( e->spared )
        return;
    c->denied += denied(&c->queue, sim.now, to);
    CHECK(c->denied <= sim.late,
          "task %u ran %ld ns though denied", n, c->denied);
}

static void idle_passing(struct cpu *c, s_time_t to)
{
    const struct vlib_runqueue *q = &c->queue;

    CHECK(!q->foreground.first && !q->spared.first, "CPU %u idle", q->cpu);
    if ( q->background.first )
        c->wasted += to - sim.now - denied(q, sim.now, to);
    CHECK(c->wasted <= sim.late, "CPU %u: idle for %ld ns", q->cpu, c->wasted);
}

/* No task in the background has had budget for longer than 'late'. */
static void budget_passing(const struct cpu *c)
{
    unsigned int i;

    for ( i = 0; i < sim.tasks; i++ )
    {
        const struct task *t = &sim.task[i];

        if ( t->vlib.queue != &c->queue || t->vlib.foreground ||
             !has_budget(t) || holder_elsewhere(t) )
            continue;
        CHECK(vlib_server_left(&account_of(t)->server, sim.now - sim.late) <= 0,
              "task %u has budget", i);
    }
}

/* Checks made before the clock advances to 'to' without another event. */
void invariants_passing(struct cpu *c, s_time_t to)
{
    const struct vlib_runqueue *q = &c->queue;
    const struct vlib_entity *e = q->running;

    CHECK(!q->refills.first || q->refills.first->key + sim.late >= to,
          "CPU %u: a refill at %ld", q->cpu, q->refills.first->key);
    budget_passing(c);
    if ( !e )
        idle_passing(c, to);
    else if ( !e->foreground )
        background_passing(c, e, to);
    else
    {
        const struct vlib_account *a = account_of(task_of(e));

        CHECK(a->holder == e, "account %u is shared", a->id);
        CHECK(vlib_server_left(&a->server, to) - (to - q->since) >=
              -sim.late, "account %u", a->id);
    }
}

void window_add(struct account *a, s_time_t from, s_time_t to, s_time_t most)
{
    struct window *w = &a->window;
    s_time_t begin = to - a->vlib.server.period, sum;
    struct span *s = &w->span[(w->head + w->count - 1) % MAX_SPANS];

    w->sum += to - from;
    if ( w->count && s->to == from )
        s->to = to;
    else
    {
        w->span[(w->head + w->count++) % MAX_SPANS] = (struct span){ from, to };
        CHECK(w->count < MAX_SPANS, "account %u: too many spans", a->vlib.id);
    }
    while ( w->span[w->head].to <= begin )
    {
        s = &w->span[w->head];
        w->sum -= s->to - s->from;
        w->head = (w->head + 1) % MAX_SPANS;
        w->count--;
    }
    sum = w->sum - max(begin - w->span[w->head].from, (s_time_t)0);
    CHECK(sum <= most, "account %u: %ld ns in one period, not %ld", a->vlib.id,
          sum, most);
}
