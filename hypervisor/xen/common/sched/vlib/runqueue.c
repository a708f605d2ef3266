/* SPDX-License-Identifier: GPL-2.0-only */
#include "runqueue.h"

#define node_entity(n, member) container_of(n, struct vlib_entity, member)

void vlib_runqueue_init(struct vlib_runqueue *q, unsigned int cpu,
                        s_time_t now)
{
    static uint64_t generations;

    memset(q, 0, sizeof(*q));
    q->cpu = cpu;
    q->generation = arch_fetch_and_add(&generations, 1) + 1;
    q->since = now;
    q->until = VLIB_NEVER;
    INIT_LIST_HEAD(&q->contending);
    vlib_account_init(&q->floor, 0, VLIB_FLOOR_BUDGET, VLIB_FLOOR_PERIOD,
                      now);
    cpumask_set_cpu(cpu, &q->floor.admitted);
}

void vlib_entity_init(struct vlib_entity *e, struct vlib_group *groups,
                      bool control)
{
    memset(e, 0, sizeof(*e));
    e->groups = groups;
    e->control = e->spared = control;
    e->ready_since = VLIB_NEVER;
    INIT_LIST_HEAD(&e->contends);
}

/* The account that is charged for e while e is on q; NULL: none. */
static struct vlib_account *account_of(struct vlib_runqueue *q,
                                       const struct vlib_entity *e)
{
    if ( e->account )
        return e->account;
    return e->control ? &q->floor : NULL;
}

/* Whether this CPU may run on a's budget now. a is locked. */
static bool may_hold(const struct vlib_runqueue *q,
                     const struct vlib_account *a, s_time_t now)
{
    return cpumask_test_cpu(q->cpu, &a->admitted) &&
           vlib_server_left(&a->server, now) > 0 &&
           (!a->holder || a->holder->queue == q);
}

/*
 * Decides whether e is in the foreground. From ready_since on, only entities
 * with a shorter period keep e from its budget. Budget that became available
 * earlier must count from then, or e would run on it twice in a row. a is
 * locked.
 */
static void settle(struct vlib_runqueue *q, struct vlib_entity *e,
                   struct vlib_account *a, s_time_t now)
{
    bool admitted = cpumask_test_cpu(q->cpu, &a->admitted);
    bool depleted = vlib_server_left(&a->server, now) <= 0;

    e->foreground = may_hold(q, a, now);
    if ( !e->foreground )
        vlib_account_release(a, e);
    if ( admitted && (e->foreground || depleted) )
        e->ready_since = min(e->ready_since, now);
    else
        e->ready_since = VLIB_NEVER;
    if ( e->foreground || !admitted )
        return;
    if ( depleted )
        vlib_heap_insert(&q->refills, &e->refill,
                         vlib_server_next(&a->server), 0);
    else
    {
        cpumask_set_cpu(q->cpu, &a->contending);
        list_add_tail(&e->contends, &q->contending);
    }
}

/* Inserts e into the heaps to which it belongs now. */
static void place(struct vlib_runqueue *q, struct vlib_entity *e, s_time_t now)
{
    struct vlib_account *a = account_of(q, e);
    s_time_t period = 0;

    e->foreground = false;
    if ( a )
    {
        spin_lock(&a->lock);
        settle(q, e, a, now);
        period = a->server.period;
        spin_unlock(&a->lock);
    }
    if ( e->foreground )
        vlib_heap_insert(&q->foreground, &e->ready, period, e->turn);
    else
        vlib_background_insert(q, e);
}

/* Removes e from the heaps. */
static void displace(struct vlib_runqueue *q, struct vlib_entity *e)
{
    if ( e->ready.queued && e->foreground )
        vlib_heap_remove(&q->foreground, &e->ready);
    else if ( e->ready.queued )
        vlib_background_remove(q, e);
    if ( e->refill.queued )
        vlib_heap_remove(&q->refills, &e->refill);
    list_del_init(&e->contends);
}

/* e gives up its hold of the account, if any. */
static void forgo(struct vlib_runqueue *q, struct vlib_entity *e)
{
    struct vlib_account *a = account_of(q, e);

    if ( !a )
        return;
    spin_lock(&a->lock);
    vlib_account_release(a, e);
    spin_unlock(&a->lock);
}

void vlib_enqueue(struct vlib_runqueue *q, struct vlib_entity *e, s_time_t now)
{
    ASSERT(!e->queue);
    vlib_charge(q, now);
    e->queue = q;
    e->queued -= now;
    vlib_background_join(q, e);
    e->denied = q->denied_clock;
    place(q, e, now);
}

void vlib_dequeue(struct vlib_runqueue *q, struct vlib_entity *e, s_time_t now)
{
    ASSERT(e->queue == q);
    vlib_charge(q, now);
    if ( q->running == e )
        q->running = NULL;
    else if ( !e->foreground )
        vlib_background_denied(q, e);
    displace(q, e);
    forgo(q, e);
    vlib_background_leave(q, e);
    e->ready_since = VLIB_NEVER;
    e->queue = NULL;
    e->queued += now;
}

void vlib_charge(struct vlib_runqueue *q, s_time_t now)
{
    struct vlib_entity *e = q->running;
    s_time_t used = now - q->since;
    struct vlib_account *a;

    if ( used <= 0 )
        return;
    q->since = now;
    if ( q->denying )
        q->denied_clock += used;
    if ( !e )
    {
        q->idle_time += used;
        return;
    }
    a = account_of(q, e);
    if ( a )
        vlib_account_use(a, q, used, now);
    if ( e->foreground )
    {
        e->usage.foreground += used;
        q->foreground_time += used;
    }
    else
    {
        e->usage.background += used;
        q->background_time += used;
        vlib_background_charge(q, e, used);
    }
}

/* Takes e, queued or running, out of its place before a change. */
static void lift_out(struct vlib_runqueue *q, struct vlib_entity *e,
                     s_time_t now)
{
    vlib_charge(q, now);
    if ( q->running != e && !e->foreground )
        vlib_background_denied(q, e);
    displace(q, e);
}

/* e, chosen to run on a's budget, holds it. Returns until when. a is locked. */
static s_time_t take(struct vlib_runqueue *q, struct vlib_entity *e,
                     struct vlib_account *a, s_time_t now)
{
    vlib_server_wake(&a->server, e->ready_since);
    a->holder = e;
    a->holds_on = q->cpu;
    a->elsewhere = 0;
    return now + vlib_server_left(&a->server, now);
}

/*
 * Whether e, which runs, is what a decision would choose on its new account. It
 * then continues, and only the time of the next decision changes. In all other
 * cases a decision must follow: this one considers nothing else on the queue.
 */
static bool continues(struct vlib_runqueue *q, struct vlib_entity *e,
                      s_time_t now)
{
    const struct vlib_node *first = q->foreground.first;
    struct vlib_account *a = e->account;

    if ( !a || !list_empty(&q->contending) ||
         (q->refills.first && q->refills.first->key <= now) )
        return false;
    spin_lock(&a->lock);
    e->foreground = may_hold(q, a, now) &&
                    (!first || a->server.period < first->key);
    if ( e->foreground )
    {
        e->ready.key = a->server.period; /* what preempts it is compared */
        e->ready_since = min(e->ready_since, now);
        q->until = take(q, e, a, now);
    }
    spin_unlock(&a->lock);
    if ( !e->foreground )
        return false;
    q->denying = false;
    if ( q->refills.first )
        q->until = min(q->until, q->refills.first->key);
    vlib_replan(q->cpu, q->until);
    return true;
}

void vlib_attach(struct vlib_entity *e, struct vlib_account *a, s_time_t now)
{
    struct vlib_runqueue *q = e->queue;

    if ( !q )
    {
        e->account = a;
        return;
    }
    lift_out(q, e, now);
    forgo(q, e);
    if ( e->account != a )
        e->ready_since = VLIB_NEVER;
    e->account = a;
    e->foreground = false; /* until the decision that follows */
    if ( q->running != e )
        place(q, e, now);
    else if ( continues(q, e, now) )
        return;
    vlib_kick(q->cpu);
}

void vlib_spare(struct vlib_entity *e, bool spared, s_time_t now)
{
    struct vlib_runqueue *q = e->queue;

    spared |= e->control;
    if ( e->spared == spared )
        return;
    if ( !q )
    {
        e->spared = spared;
        return;
    }
    lift_out(q, e, now);
    e->spared = spared;
    if ( q->running != e )
        place(q, e, now);
    vlib_kick(q->cpu);
}

bool vlib_preempts(const struct vlib_runqueue *q, const struct vlib_entity *e)
{
    const struct vlib_entity *r = q->running;

    if ( e->refill.queued && e->refill.key < q->until )
        return true; /* the planned decision is too late for it */
    if ( !r )
        return e->foreground || e->spared || !q->denying;
    if ( e->foreground )
        return !r->foreground || e->ready.key < r->ready.key;
    if ( r->foreground || (q->denying && !e->spared) )
        return false;
    /* A vCPU that ran alone has no slice; it ends now that there is another. */
    return q->until > q->since + VLIB_SLICE ||
           vlib_background_behind(q, e, r);
}

/* Decides again whether e is in the foreground. */
static void reassess(struct vlib_runqueue *q, struct vlib_entity *e,
                     s_time_t now)
{
    vlib_background_denied(q, e);
    displace(q, e);
    place(q, e, now);
}

/* Whether the holder for which e waited has left. */
static bool given_up(struct vlib_runqueue *q, const struct vlib_entity *e)
{
    struct vlib_account *a = account_of(q, e);
    bool waits;

    spin_lock(&a->lock);
    waits = cpumask_test_cpu(q->cpu, &a->contending);
    spin_unlock(&a->lock);
    return !waits;
}

/*
 * Re-evaluates entities that wait for a refill or a holder, if it has come.
 * The lock is held: each counts towards the number that a decision may
 * examine.
 */
static void review(struct vlib_runqueue *q, s_time_t now, unsigned int *looks)
{
    struct vlib_entity *e, *after;

    while ( *looks && q->refills.first && q->refills.first->key <= now )
    {
        --*looks;
        reassess(q, node_entity(q->refills.first, refill), now);
    }
    list_for_each_entry_safe ( e, after, &q->contending, contends )
    {
        if ( !*looks )
            return;
        if ( !given_up(q, e) )
            continue;
        --*looks;
        reassess(q, e, now);
    }
}

/* The first in the foreground that has budget; it becomes the holder. */
static struct vlib_entity *pick_foreground(struct vlib_runqueue *q,
                                           s_time_t now, s_time_t *until,
                                           unsigned int *looks)
{
    for ( ; *looks && q->foreground.first; --*looks )
    {
        struct vlib_entity *e = node_entity(q->foreground.first, ready);
        struct vlib_account *a = account_of(q, e);
        bool may;

        spin_lock(&a->lock);
        may = may_hold(q, a, now);
        if ( may )
            *until = take(q, e, a, now);
        spin_unlock(&a->lock);
        displace(q, e);
        if ( may )
            return e;
        place(q, e, now); /* others on its reservation used the budget */
    }
    return NULL;
}

static struct vlib_entity *pick_background(struct vlib_runqueue *q,
                                           s_time_t now, s_time_t *until)
{
    struct vlib_entity *e;
    struct vlib_account *a;
    s_time_t change;

    q->denying = vlib_background_denies(q, now, &change) && q->background.first;
    if ( q->background.first )
        *until = change;
    e = vlib_background_first(q, q->denying);
    if ( !e )
        return NULL;
    vlib_background_denied(q, e);
    displace(q, e);
    if ( q->spared.first || q->background.first )
        *until = min(*until, (s_time_t)(now + VLIB_SLICE));
    a = account_of(q, e);
    if ( a && cpumask_test_cpu(q->cpu, &a->admitted) )
    {
        s_time_t refill;

        spin_lock(&a->lock);
        refill = vlib_server_next(&a->server);
        spin_unlock(&a->lock);
        if ( refill > now )
            *until = min(*until, refill);
    }
    return e;
}

/* Ends a turn: the running vCPU is queued again. */
static void put_back(struct vlib_runqueue *q, s_time_t now)
{
    struct vlib_entity *e = q->running;

    vlib_charge(q, now);
    q->running = NULL;
    q->until = VLIB_NEVER;
    q->denying = false;
    if ( !e )
        return;
    e->denied = q->denied_clock;
    place(q, e, now);
}

void vlib_idle(struct vlib_runqueue *q, s_time_t now)
{
    if ( q->running )
        vlib_account_deschedule(q->running);
    put_back(q, now);
}

void vlib_yielded(struct vlib_runqueue *q, struct vlib_entity *e)
{
    e->turn = ++q->turns;
    if ( q->running == e && !e->foreground )
        vlib_background_yield(q, e);
}

struct vlib_entity *vlib_decide(struct vlib_runqueue *q, s_time_t now,
                                s_time_t *until)
{
    struct vlib_entity *last = q->running, *next;
    unsigned int looks = VLIB_AT_ONCE;

    q->decisions++;
    *until = VLIB_NEVER;
    put_back(q, now);
    review(q, now, &looks);
    next = pick_foreground(q, now, until, &looks);
    if ( !next )
        next = pick_background(q, now, until);
    if ( last && last != next )
        vlib_account_deschedule(last);
    if ( !looks )
        *until = min(*until, (s_time_t)(now + VLIB_SOON));
    else if ( q->refills.first )
        *until = min(*until, q->refills.first->key);
    q->until = *until;
    q->running = next;
    return next;
}
