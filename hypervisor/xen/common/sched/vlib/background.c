/* SPDX-License-Identifier: GPL-2.0-only */
#include "runqueue.h"

static struct vlib_group *group_of(const struct vlib_runqueue *q,
                                   const struct vlib_entity *e)
{
    return &e->groups[q->cpu];
}

static struct vlib_heap *heap(struct vlib_runqueue *q, bool spared)
{
    return spared ? &q->spared : &q->background;
}

static struct vlib_entity *member(struct vlib_node *n)
{
    return container_of(n, struct vlib_entity, ready);
}

void vlib_background_join(struct vlib_runqueue *q, struct vlib_entity *e)
{
    struct vlib_group *g = group_of(q, e);

    e->turn = ++q->turns;
    if ( !g->present++ )
    {
        g->share = g->home == q->generation ? max(g->share, q->share)
                                            : q->share;
        g->home = q->generation;
        g->turn = e->turn;
    }
    e->share = e->home == q->generation ? max(e->share, g->least) : g->least;
    e->home = q->generation;
}

void vlib_background_leave(struct vlib_runqueue *q, struct vlib_entity *e)
{
    ASSERT(group_of(q, e)->present);
    group_of(q, e)->present--;
}

void vlib_background_insert(struct vlib_runqueue *q, struct vlib_entity *e)
{
    struct vlib_group *g = group_of(q, e);

    vlib_heap_insert(&g->member[e->spared], &e->ready, e->share, e->turn);
    if ( !g->node[e->spared].queued )
        vlib_heap_insert(heap(q, e->spared), &g->node[e->spared], g->share,
                         g->turn);
}

void vlib_background_remove(struct vlib_runqueue *q, struct vlib_entity *e)
{
    struct vlib_group *g = group_of(q, e);

    vlib_heap_remove(&g->member[e->spared], &e->ready);
    if ( !g->member[e->spared].first )
        vlib_heap_remove(heap(q, e->spared), &g->node[e->spared]);
}

static struct vlib_group *first_group(const struct vlib_heap *h, bool spared)
{
    return h->first ? container_of(h->first, struct vlib_group, node[spared])
                    : NULL;
}

struct vlib_entity *vlib_background_first(const struct vlib_runqueue *q,
                                          bool denying)
{
    struct vlib_group *g = first_group(&q->spared, true);
    struct vlib_group *other = denying ? NULL
                                       : first_group(&q->background, false);
    struct vlib_node *first, *spared;

    if ( other && (!g || other->share < g->share) )
        g = other;
    if ( !g )
        return NULL;
    first = denying ? NULL : g->member[0].first;
    spared = g->member[1].first;
    if ( !first || (spared && spared->key <= first->key) )
        first = spared;
    return member(first);
}

/* Reorders a group whose share or turn has changed. */
static void move_on(struct vlib_runqueue *q, struct vlib_group *g)
{
    unsigned int spared;

    for ( spared = 0; spared < 2; spared++ )
    {
        struct vlib_node *n = &g->node[spared];

        if ( !n->queued )
            continue;
        vlib_heap_remove(heap(q, spared), n);
        vlib_heap_insert(heap(q, spared), n, g->share, g->turn);
    }
}

static s_time_t least_of(s_time_t share, const struct vlib_heap *a,
                         const struct vlib_heap *b)
{
    if ( a->first )
        share = min(share, a->first->key);
    if ( b->first )
        share = min(share, b->first->key);
    return share;
}

void vlib_background_charge(struct vlib_runqueue *q, struct vlib_entity *e,
                            s_time_t used)
{
    struct vlib_group *g = group_of(q, e);

    e->share += used;
    g->share += used;
    move_on(q, g);
    /* An entity that joins later begins level with the least. */
    g->least = max(g->least, least_of(e->share, &g->member[0],
                                      &g->member[1]));
    q->share = max(q->share, least_of(g->share, &q->background, &q->spared));
}

bool vlib_background_behind(const struct vlib_runqueue *q,
                            const struct vlib_entity *a,
                            const struct vlib_entity *b)
{
    const struct vlib_group *ga = group_of(q, a), *gb = group_of(q, b);

    if ( ga == gb )
        return a->share + VLIB_GRANULARITY < b->share;
    return ga->share + VLIB_GRANULARITY < gb->share;
}

void vlib_background_yield(struct vlib_runqueue *q, struct vlib_entity *e)
{
    struct vlib_group *g = group_of(q, e);
    const struct vlib_node *first = g->member[e->spared].first;

    if ( first )
    {
        e->share = max(e->share, first->key);
        return;
    }
    first = heap(q, e->spared)->first;
    if ( first )
        g->share = max(g->share, first->key);
    g->turn = e->turn;
    move_on(q, g);
}

bool vlib_background_denies(const struct vlib_runqueue *q, s_time_t now,
                            s_time_t *until)
{
    s_time_t phase;

    if ( !q->idle )
    {
        *until = VLIB_NEVER;
        return false;
    }
    phase = now % q->period;
    *until = now - phase + (phase < q->idle ? q->idle : q->period);
    return phase < q->idle;
}

void vlib_background_denied(struct vlib_runqueue *q, struct vlib_entity *e)
{
    s_time_t denied = q->denied_clock - e->denied;

    e->denied = q->denied_clock;
    if ( e->spared || !denied )
        return;
    e->usage.throttled += denied;
    if ( e->account )
    {
        spin_lock(&e->account->lock);
        e->account->usage.throttled += denied;
        spin_unlock(&e->account->lock);
    }
}
