/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call lets a domain run on its caller's reservation until the domain's
 * server reports that it has served the request, or the caller reports that it
 * has the answer.
 *
 *   queued -> active -> done
 *        \         \-> cancelled, timeout, gone
 *         \-> done, cancelled, timeout, gone
 *
 * A call is made for one request, which the caller's port and a number
 * identify. The request numbers of a port increase, and its client has one
 * request under way at a time: a client that makes a request has the answers
 * to its earlier ones, or has given them up.
 *
 * One call at a time is active in a domain; the others wait in order of
 * arrival. A domain that is still busy with a call that was given up finishes
 * it in background time, on no reservation, before the next call begins.
 *
 * The server may find a request in its channel before the call for it arrives,
 * or before its turn. The module remembers the last request that the server
 * found in this way; its call is done as soon as it arrives, or as its turn
 * comes.
 */
#include "module.h"

static struct vlib_heap deadlines; /* of all calls that are queued or active */
static LIST_HEAD(unsignalled);     /* calls whose server is to be signalled */

void vlib_call_init(struct vlib_reservation *r)
{
    unsigned int i;

    for ( i = 0; i < VLIB_MAX_CALLS; i++ )
    {
        r->calls[i].reservation = r;
        INIT_LIST_HEAD(&r->calls[i].list);
        INIT_LIST_HEAD(&r->calls[i].tell);
    }
    r->last = &r->calls[0];
    INIT_LIST_HEAD(&r->busy);
}

/* The domain in which r has a call, queued or active; or NULL. */
struct vlib_domain *vlib_call_domain(const struct vlib_reservation *r)
{
    unsigned int i;

    for ( i = 0; i < VLIB_MAX_CALLS; i++ )
        if ( r->calls[i].domain )
            return r->calls[i].domain;
    return NULL;
}

/* The domain that runs on r because of a call; or NULL. */
struct vlib_domain *vlib_call_runs(const struct vlib_reservation *r)
{
    struct vlib_domain *vd = vlib_call_domain(r);

    return vd && vd->active && vd->active->reservation == r ? vd : NULL;
}

void vlib_call_deadline(struct vlib_call *c, s_time_t deadline)
{
    if ( c->late.queued )
        vlib_heap_remove(&deadlines, &c->late);
    vlib_heap_insert(&deadlines, &c->late, deadline, 0);
    vlib_housekeeping_by(deadline);
}

void vlib_call_enqueue(struct vlib_call *c, struct vlib_domain *vd,
                       s_time_t deadline)
{
    c->domain = vd;
    c->state = VLIB_CALL_queued;
    list_add_tail(&c->list, &vd->queue);
    vd->queued++;
    vlib_call_deadline(c, deadline);
}

static void activate(struct vlib_call *c, struct vlib_domain *vd, s_time_t now)
{
    list_del_init(&c->list);
    vd->queued--;
    vd->active = c;
    vd->delivered = false;
    c->state = VLIB_CALL_active;
    c->started = now;
    c->before = vlib_reservation_usage(c->reservation);
    vlib_monitor_begin(c);
    vd->unsettled = true;
    vlib_call_applied(vd, now);
}

static bool found(const struct vlib_domain *vd, const struct vlib_call *c)
{
    return vd->found_port == c->callee_port && vd->found_request == c->request;
}

/*
 * Activates the next call if the domain is free for it. Callers that end a
 * call use this to begin the next, and then apply the changes.
 */
struct vlib_call *vlib_call_next(struct vlib_domain *vd, s_time_t now)
{
    while ( !vd->active && !vd->abandoned && !list_empty(&vd->queue) )
    {
        struct vlib_call *c = list_entry(vd->queue.next, struct vlib_call,
                                         list);

        if ( !found(vd, c) )
        {
            activate(c, vd, now);
            return c;
        }
        vd->found_port = 0;
        vlib_call_end(c, VLIB_CALL_done, now);
    }
    return NULL;
}

void vlib_call_applied(struct vlib_domain *vd, s_time_t now)
{
    vlib_gate_apply(vd, now);
    vlib_domain_settle(vd, now);
}

/* The domain may still be serving c, unless its server was never told of it. */
static void abandon(struct vlib_domain *vd, const struct vlib_call *c)
{
    vd->abandoned = c->reservation->id;
    vd->abandoned_port = c->caller_port;
    vd->abandoned_request = c->request;
    list_add_tail(&vd->busy, &c->reservation->busy);
}

/* The domain has finished its abandoned call. */
void vlib_call_free(struct vlib_domain *vd)
{
    vd->abandoned = 0;
    list_del_init(&vd->busy);
}

/*
 * Ends a call that is queued or active. A domain that was told of the call, or
 * that may have found it by itself, stays busy until it reports otherwise.
 */
void vlib_call_end(struct vlib_call *c, unsigned int state, s_time_t now)
{
    struct vlib_domain *vd = c->domain;
    struct vlib_usage usage;

    c->ended = now;
    if ( c->state == VLIB_CALL_active )
    {
        vlib_domain_charge(vd, now);
        usage = vlib_reservation_usage(c->reservation);
        c->cost = vlib_usage_since(&usage, &c->before);
        if ( c->monitor )
            vlib_monitor_end(c);
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
    if ( c->waiter )
    {
        vcpu_unblock(c->waiter);
        c->waiter = NULL;
    }
}

/*
 * Ends a call before it is done, and begins the next. The next one can begin
 * only in a domain that listens, which needs no event.
 */
void vlib_call_give_up(struct vlib_call *c, unsigned int state)
{
    struct vlib_domain *vd = c->domain;
    s_time_t now = NOW();

    vlib_call_end(c, state, now);
    vlib_call_next(vd, now);
    vlib_call_applied(vd, now);
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

/* Begins the next call. An event is the only way to tell the server of it. */
void vlib_call_resume(struct vlib_domain *vd)
{
    s_time_t now = NOW();
    struct vlib_call *next = vlib_call_next(vd, now);

    vlib_call_applied(vd, now);
    if ( next && !vd->listening )
        list_add_tail(&next->tell, &unsignalled);
}

/*
 * Signals calls that have begun. Without vlib_lock, after they may have begun.
 */
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
 * The reservation is removed. A domain that parks would wait for this
 * reservation's caller to report the end of an abandoned call; it is released.
 * Returns whether there were such domains; there may be more.
 */
bool vlib_call_forget(struct vlib_reservation *r)
{
    unsigned int work = 0;

    while ( !list_empty(&r->busy) && work < VLIB_UNITS_AT_ONCE )
    {
        struct vlib_domain *vd = list_entry(r->busy.next, struct vlib_domain,
                                            busy);

        work += vlib_domain_work(vd);
        list_del_init(&vd->busy);
        if ( !(vd->flags & VLIB_DOMAIN_parks) )
            continue; /* its server reports the end when it listens */
        vlib_call_free(vd);
        vlib_call_resume(vd);
    }
    return work;
}

/* Ends calls that are late; returns the time of the next deadline. */
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
