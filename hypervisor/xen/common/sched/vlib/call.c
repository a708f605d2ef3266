/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls: a caller's reservation pays for what a domain executes, until the
 * domain's server says that it has served the request, or the caller that it
 * has the answer.
 *
 *   queued -> active -> done
 *        \         \-> cancelled, timeout, gone
 *         \-> done, cancelled, timeout, gone
 *
 * A call stands for one request, which its caller's port and a number identify.
 * The numbers of a port go up, and its client has one request under way at a
 * time: who asks for one has the answers to those before it, or gave them up.
 *
 * One call at a time is active in a domain; the others wait in the order in
 * which they came. A domain that is still busy with a call that was given up
 * finishes that in background time, on no reservation, before the next begins.
 *
 * The server may find a request in its channel before the call for it arrives,
 * or before its turn. The last one that it has named so is kept, and its call
 * is done as soon as it arrives, or its turn comes.
 */
#include "module.h"

static struct vlib_heap deadlines; /* of all that are queued or active */
static LIST_HEAD(unsignalled);     /* those whose server is still to be told */

void vlib_call_init(struct vlib_reservation *r)
{
    unsigned int i;

    for ( i = 0; i < VLIB_MAX_CALLS; i++ )
    {
        r->calls[i].payer = r;
        INIT_LIST_HEAD(&r->calls[i].list);
        INIT_LIST_HEAD(&r->calls[i].tell);
    }
    r->last = &r->calls[0];
    INIT_LIST_HEAD(&r->left);
}

/* The domain in which it has a call, queued or active; or NULL. */
struct vlib_domain *vlib_call_domain(const struct vlib_reservation *r)
{
    unsigned int i;

    for ( i = 0; i < VLIB_MAX_CALLS; i++ )
        if ( r->calls[i].domain )
            return r->calls[i].domain;
    return NULL;
}

/* The domain that runs on it by a call; or NULL. */
struct vlib_domain *vlib_call_runs(const struct vlib_reservation *r)
{
    struct vlib_domain *vd = vlib_call_domain(r);

    return vd && vd->active && vd->active->payer == r ? vd : NULL;
}

void vlib_call_deadline(struct vlib_call *c, s_time_t timeout)
{
    if ( c->late.queued )
        vlib_heap_remove(&deadlines, &c->late);
    vlib_heap_insert(&deadlines, &c->late, NOW() + timeout, 0);
    vlib_housekeeping_by(c->late.key);
}

void vlib_call_enqueue(struct vlib_call *c, struct vlib_domain *vd,
                       s_time_t timeout)
{
    c->domain = vd;
    c->state = VLIB_CALL_queued;
    list_add_tail(&c->list, &vd->queue);
    vd->queued++;
    vlib_call_deadline(c, timeout);
}

static void activate(struct vlib_call *c, struct vlib_domain *vd)
{
    list_del_init(&c->list);
    vd->queued--;
    vd->active = c;
    vd->delivered = false;
    c->state = VLIB_CALL_active;
    c->started = NOW();
    c->before = vlib_reservation_usage(c->payer);
    vd->unsettled = false;
    vlib_domain_attach(vd, &c->payer->account);
    vlib_gate_apply(vd);
}

static bool found(const struct vlib_domain *vd, const struct vlib_call *c)
{
    return vd->found_port == c->callee_port && vd->found_request == c->request;
}

/*
 * Takes the next call, if the domain is free for it. Whoever ends one asks for
 * the next and then applies what the end has changed.
 */
struct vlib_call *vlib_call_next(struct vlib_domain *vd)
{
    while ( !vd->active && !vd->abandoned && !list_empty(&vd->queue) )
    {
        struct vlib_call *c = list_entry(vd->queue.next, struct vlib_call,
                                         list);

        if ( !found(vd, c) )
        {
            activate(c, vd);
            return c;
        }
        vd->found_port = 0;
        vlib_call_end(c, VLIB_CALL_done);
    }
    return NULL;
}

void vlib_call_applied(struct vlib_domain *vd)
{
    vlib_gate_apply(vd);
    vlib_domain_settle(vd);
}

/* The domain may still be at it, unless it knew nothing of it. */
static void abandon(struct vlib_domain *vd, const struct vlib_call *c)
{
    vd->abandoned = c->payer->account.id;
    vd->abandoned_port = c->caller_port;
    vd->abandoned_request = c->request;
    list_add_tail(&vd->left, &c->payer->left);
}

/* It is at nothing any more that was given up. */
void vlib_call_free(struct vlib_domain *vd)
{
    vd->abandoned = 0;
    list_del_init(&vd->left);
}

/*
 * Ends a call that is queued or active. A domain that was at it and knew, or
 * may find out by itself, is busy until it says otherwise.
 */
void vlib_call_end(struct vlib_call *c, unsigned int state)
{
    struct vlib_account *a = &c->payer->account;
    struct vlib_domain *vd = c->domain;
    unsigned long flags;

    c->ended = NOW();
    if ( c->state == VLIB_CALL_active )
    {
        vlib_domain_charge(vd);
        spin_lock_irqsave(&a->lock, flags);
        c->cost = vlib_usage_since(&a->usage, &c->before);
        spin_unlock_irqrestore(&a->lock, flags);
        vd->active = NULL;
        if ( state != VLIB_CALL_done && !vd->listening )
            abandon(vd, c);
        vd->unsettled = true;
    }
    else
    {
        list_del_init(&c->list);
        vd->queued--;
        c->started = c->ended;
    }
    list_del_init(&c->tell);
    vlib_heap_remove(&deadlines, &c->late);
    c->state = state;
    c->domain = NULL;
    if ( state == VLIB_CALL_done )
        vd->calls++;
}

/*
 * Ends a call before it is done, and goes on to the next. That can begin only
 * in a domain that listens, which needs no event.
 */
void vlib_call_give_up(struct vlib_call *c, unsigned int state)
{
    struct vlib_domain *vd = c->domain;

    vlib_call_end(c, state);
    vlib_call_next(vd);
    vlib_call_applied(vd);
}

/* Ends all calls of a reservation. */
bool vlib_call_stop(struct vlib_reservation *r, unsigned int state)
{
    bool any = false;
    unsigned int i;

    for ( i = 0; i < VLIB_MAX_CALLS; i++ )
        if ( r->calls[i].domain )
        {
            vlib_call_give_up(&r->calls[i], state);
            any = true;
        }
    return any;
}

/* Goes on to the next call, which nothing but an event tells the server of. */
void vlib_call_resume(struct vlib_domain *vd)
{
    struct vlib_call *next = vlib_call_next(vd);

    vlib_call_applied(vd);
    if ( next && !vd->listening )
        list_add_tail(&next->tell, &unsignalled);
}

/* Signals what has begun. Without vlib_lock, after what may have begun it. */
void vlib_call_signal(void)
{
    if ( likely(list_empty(&unsignalled)) )
        return;
    spin_lock(&vlib_lock);
    while ( !list_empty(&unsignalled) )
    {
        struct vlib_call *c = list_entry(unsignalled.next, struct vlib_call,
                                         tell);
        struct domain *caller = c->caller;
        evtchn_port_t port = c->caller_port;

        list_del_init(&c->tell);
        spin_unlock(&vlib_lock);
        evtchn_send(caller, port);
        spin_lock(&vlib_lock);
    }
    spin_unlock(&vlib_lock);
}

/*
 * The reservation goes, and with it the callers that could say that a domain
 * which parks is done with what was given up. Says whether there were any.
 */
bool vlib_call_forget(struct vlib_reservation *r)
{
    unsigned int work = 0;

    while ( !list_empty(&r->left) && work < VLIB_UNITS_AT_ONCE )
    {
        struct vlib_domain *vd = list_entry(r->left.next, struct vlib_domain,
                                            left);

        work += vlib_domain_work(vd);
        list_del_init(&vd->left);
        if ( !(vd->flags & VLIB_DOMAIN_parks) )
            continue; /* its server says so when it listens */
        vlib_call_free(vd);
        vlib_call_resume(vd);
    }
    return work;
}

/* Ends what is late; returns when the next will be. */
s_time_t vlib_call_expire(s_time_t now)
{
    unsigned int work = 0;

    while ( deadlines.first && deadlines.first->key <= now &&
            work < VLIB_UNITS_AT_ONCE )
    {
        struct vlib_call *c = container_of(deadlines.first, struct vlib_call,
                                           late);

        work += vlib_domain_work(c->domain);
        vlib_call_give_up(c, VLIB_CALL_timeout);
    }
    return deadlines.first ? max(deadlines.first->key, now) : VLIB_NEVER;
}
