/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls: a caller's reservation pays for what a domain executes, until the
 * domain listens again.
 *
 *   none -> queued -> active -> done
 *              \         \-> cancelled, timeout, gone
 *               \-> cancelled, timeout, gone
 *
 * One call at a time is active in a domain; the others wait in the order in
 * which they came. A domain that is still busy with a cancelled call finishes
 * that in background time, on nobody's reservation, before the next begins.
 */
#include "module.h"

static LIST_HEAD(pending); /* calls that are queued or active */
static bool unsignalled;   /* one of them began, and its server is not told */

static struct vlib_reservation *reservation_of(struct vlib_call *c)
{
    return container_of(c, struct vlib_reservation, call);
}

/* The other end of the caller's port, if that is in domain d. */
static int peer(struct domain *caller, evtchn_port_t port,
                const struct domain *d, evtchn_port_t *other)
{
    int rc = -EINVAL;

    read_lock(&caller->event_lock);
    if ( port_is_valid(caller, port) )
    {
        const struct evtchn *e = evtchn_from_port(caller, port);

        if ( e->state == ECS_INTERDOMAIN &&
             e->u.interdomain.remote_dom == d )
        {
            *other = e->u.interdomain.remote_port;
            rc = 0;
        }
    }
    read_unlock(&caller->event_lock);
    return rc;
}

static void enqueue(struct vlib_call *c, struct vlib_domain *vd)
{
    c->domain = vd;
    c->state = VLIB_CALL_queued;
    c->again = c->unsignalled = false;
    c->queued = NOW();
    c->deadline = c->queued + c->timeout;
    c->count++;
    memset(&c->cost, 0, sizeof(c->cost));
    list_add_tail(&c->list, &vd->queue);
    vd->queued++;
    list_add_tail(&c->pending, &pending);
    vlib_housekeeping_by(c->deadline);
}

/*
 * Takes the next call, if the domain is free for it. Whoever ends one asks for
 * the next and then applies what the end has changed.
 */
static struct vlib_call *start_next(struct vlib_domain *vd)
{
    struct vlib_call *c;

    if ( vd->active || vd->abandoned || list_empty(&vd->queue) )
        return NULL;
    c = list_entry(vd->queue.next, struct vlib_call, list);
    list_del_init(&c->list);
    vd->queued--;
    vd->active = reservation_of(c);
    vd->delivered = false;
    c->state = VLIB_CALL_active;
    c->started = NOW();
    c->before = vlib_reservation_usage(reservation_of(c));
    vd->unsettled = false;
    vlib_domain_attach(vd, &reservation_of(c)->account);
    vlib_gate_apply(vd);
    return c;
}

static void after_end(struct vlib_domain *vd)
{
    vlib_gate_apply(vd);
    vlib_domain_settle(vd);
}

/*
 * Ends a call that is queued or active. A domain that was at it and knew, or
 * may find out by itself, is busy until it says otherwise.
 */
void vlib_call_end(struct vlib_reservation *r, unsigned int state)
{
    struct vlib_call *c = &r->call;
    struct vlib_domain *vd = c->domain;
    unsigned long flags;

    c->ended = NOW();
    if ( c->state == VLIB_CALL_active )
    {
        vlib_domain_charge(vd);
        spin_lock_irqsave(&r->account.lock, flags);
        c->cost = vlib_usage_since(&r->account.usage, &c->before);
        spin_unlock_irqrestore(&r->account.lock, flags);
        vd->active = NULL;
        vd->abandoned = state != VLIB_CALL_done && !vd->listening
                        ? r->account.id : 0;
        vd->unsettled = true;
        if ( state == VLIB_CALL_done )
            vd->calls++;
    }
    else
    {
        list_del_init(&c->list);
        vd->queued--;
        c->started = c->ended;
    }
    list_del_init(&c->pending);
    c->state = state;
    c->domain = NULL;
    if ( c->again && state == VLIB_CALL_done )
        enqueue(c, vd);
    c->again = false;
}

/*
 * A client may have its answer, and ask again, before the server has listened:
 * the next call then follows when this one is done. One that has not begun yet
 * will find what is asked now.
 */
static bool repeated(struct vlib_call *c, const struct vlib_domain *vd,
                     const struct domain *caller, evtchn_port_t port,
                     s_time_t timeout)
{
    if ( c->domain != vd || c->caller != caller || c->caller_port != port )
        return false;
    c->timeout = timeout;
    if ( c->state == VLIB_CALL_active )
        c->again = true;
    else
        c->deadline = NOW() + timeout;
    vlib_housekeeping_by(c->deadline);
    return true;
}

/*
 * Ends a call before it is done, and goes on to the next. That can begin only
 * in a domain that listens, which needs no event.
 */
void vlib_call_stop(struct vlib_reservation *r, unsigned int state)
{
    struct vlib_domain *vd = r->call.domain;

    vlib_call_end(r, state);
    start_next(vd);
    after_end(vd);
}

static long begin(struct vlib_reservation *r, struct vlib_domain *vd,
                  evtchn_port_t *signal)
{
    enqueue(&r->call, vd);
    if ( !start_next(vd) )
        return 1;
    if ( !vd->listening )
        *signal = r->call.caller_port; /* nothing else tells the server */
    return 0;
}

/* Returns 0 if the call is active, 1 if it is queued. */
long vlib_call(domid_t domid, evtchn_port_t port, unsigned long id,
               s_time_t timeout)
{
    struct domain *caller = current->domain, *d;
    evtchn_port_t other = 0, signal = 0;
    struct vlib_reservation *r;
    struct vlib_domain *vd;
    long rc;

    /* It is signalled later, and so must still be there: Dom0 always is. */
    if ( caller != hardware_domain )
        return -EPERM;
    if ( timeout <= 0 || timeout > VLIB_MAX_TIMEOUT )
        return -ERANGE;
    d = rcu_lock_domain_by_id(domid);
    if ( !d )
        return -ESRCH;
    rc = vlib_may_control(d, true);
    if ( !rc && (d->is_dying || d->is_shutting_down) )
        rc = -ENOTCONN;
    if ( !rc )
        rc = peer(caller, port, d, &other);
    if ( rc )
        goto out;

    spin_lock(&vlib_lock);
    vd = vlib_domain_find(d);
    r = vlib_reservation_find(id);
    if ( !r )
        rc = -ENOENT;
    else if ( !vd || !(vd->flags & (VLIB_DOMAIN_listens | VLIB_DOMAIN_parks)) )
        rc = -ENXIO;
    else if ( !vlib_reservation_allows(r, vd) )
        rc = -EACCES;
    else if ( repeated(&r->call, vd, caller, port, timeout) )
        rc = 1;
    else if ( r->call.domain )
        rc = -EBUSY;
    else
    {
        r->call.timeout = timeout;
        r->call.caller = caller;
        r->call.caller_port = port;
        r->call.callee_port = other;
        rc = begin(r, vd, &signal);
    }
    spin_unlock(&vlib_lock);
    if ( signal )
        evtchn_send(caller, signal);
 out:
    rcu_unlock_domain(d);
    return rc;
}

long vlib_cancel(unsigned long id)
{
    struct vlib_reservation *r;
    long rc = 0;

    spin_lock(&vlib_lock);
    r = vlib_reservation_find(id);
    if ( !r )
        rc = -ENOENT;
    else if ( !r->call.domain )
        rc = -ESRCH;
    else
        vlib_call_stop(r, VLIB_CALL_cancelled);
    spin_unlock(&vlib_lock);
    return rc;
}

/* Goes on to the next call, which nothing but an event tells the server of. */
void vlib_call_resume(struct vlib_domain *vd)
{
    struct vlib_call *next = start_next(vd);

    after_end(vd);
    if ( next && !vd->listening )
        next->unsignalled = unsignalled = true;
}

/* Signals what has begun. Without vlib_lock, after what may have begun it. */
void vlib_call_signal(void)
{
    struct vlib_call *c;

    if ( likely(!unsignalled) )
        return;
    spin_lock(&vlib_lock);
    unsignalled = false;
 again:
    list_for_each_entry ( c, &pending, pending )
        if ( c->unsignalled )
        {
            struct domain *caller = c->caller;
            evtchn_port_t port = c->caller_port;

            c->unsignalled = false;
            spin_unlock(&vlib_lock);
            evtchn_send(caller, port);
            spin_lock(&vlib_lock);
            goto again;
        }
    spin_unlock(&vlib_lock);
}

/*
 * The caller has its answer, of a domain that cannot say so itself: of a call
 * that is active, or of those that were given up before.
 */
long vlib_finish(unsigned long id)
{
    struct vlib_reservation *r;
    struct vlib_domain *vd;
    long rc = -ESRCH;

    spin_lock(&vlib_lock);
    r = vlib_reservation_find(id);
    if ( !r )
        rc = -ENOENT;
    else if ( r->call.state == VLIB_CALL_active )
    {
        vd = r->call.domain;
        vlib_call_end(r, VLIB_CALL_done);
        vlib_call_resume(vd);
        rc = 0;
    }
    else
        list_for_each_entry ( vd, &vlib_domains, list )
            if ( vd->abandoned == id )
            {
                vd->abandoned = 0;
                vlib_call_resume(vd);
                rc = 0;
            }
    spin_unlock(&vlib_lock);
    vlib_call_signal();
    return rc;
}

/*
 * The reservation goes, and with it who could say that a domain which parks is
 * done with what was given up.
 */
void vlib_call_forget(unsigned int id)
{
    struct vlib_domain *vd;

    list_for_each_entry ( vd, &vlib_domains, list )
        if ( vd->abandoned == id && (vd->flags & VLIB_DOMAIN_parks) )
        {
            vd->abandoned = 0;
            vlib_call_resume(vd);
        }
}

/* Ends what is late; returns when the next will be. */
s_time_t vlib_call_expire(s_time_t now)
{
    s_time_t next = VLIB_NEVER;
    struct vlib_call *c, *after;

    list_for_each_entry_safe ( c, after, &pending, pending )
    {
        if ( c->deadline > now )
        {
            next = min(next, c->deadline);
            continue;
        }
        vlib_call_stop(reservation_of(c), VLIB_CALL_timeout);
    }
    return next;
}

/* What the server has said by listening: it is done with what it was at. */
static void finished(struct vlib_domain *vd, evtchn_port_t served)
{
    vd->abandoned = 0;
    if ( served && vd->active && vd->active->call.callee_port == served )
        vlib_call_end(vd->active, VLIB_CALL_done);
}

/* The port of a call that the server has not been told of; 0: there is none. */
static long deliver(struct vlib_domain *vd)
{
    start_next(vd);
    if ( !vd->active || vd->delivered )
        return 0;
    vd->delivered = true;
    vd->listening = false;
    return vd->active->call.callee_port;
}

/* The domain that asks, if it may listen. */
static struct vlib_domain *listener(void)
{
    struct vlib_domain *vd = vlib_domain_find(current->domain);

    return vd && (vd->flags & VLIB_DOMAIN_listens) ? vd : NULL;
}

#define FLAG_SIGNAL  1UL
#define FLAG_RESUMED 2UL /* Xen's own: the gate was closed meanwhile */

long vlib_listen(unsigned long port, unsigned long flags)
{
    struct domain *d = current->domain;
    struct vlib_domain *vd;
    bool closed = false;
    long rc;

    if ( flags & ~(FLAG_SIGNAL | FLAG_RESUMED) )
        return -EINVAL;
    spin_lock(&vlib_lock);
    vd = listener();
    if ( !vd )
    {
        spin_unlock(&vlib_lock);
        return -EACCES;
    }
    if ( !(flags & FLAG_RESUMED) )
        finished(vd, port);
    rc = deliver(vd);
    if ( !rc )
    {
        vd->listening = !vlib_lease_lost && !vd->holds;
        after_end(vd);
        closed = !vd->open;
        if ( !closed )
            vd->listening = false;
        rc = -EAGAIN;
    }
    spin_unlock(&vlib_lock);
    if ( (flags & FLAG_SIGNAL) && port )
        evtchn_send(d, port);
    return closed ? hypercall_create_continuation(
                        __HYPERVISOR_vlib_op, "lll", VLIB_OP_listen, 0UL,
                        FLAG_RESUMED)
                  : rc;
}

/* As listen, for a server that goes on to wait for events. */
long vlib_complete(unsigned long port, unsigned long flags)
{
    struct domain *d = current->domain;
    struct vlib_domain *vd;

    if ( flags & ~FLAG_SIGNAL )
        return -EINVAL;
    spin_lock(&vlib_lock);
    vd = listener();
    if ( !vd )
    {
        spin_unlock(&vlib_lock);
        return -EACCES;
    }
    finished(vd, port);
    vlib_call_resume(vd);
    spin_unlock(&vlib_lock);
    if ( (flags & FLAG_SIGNAL) && port )
        evtchn_send(d, port);
    vlib_call_signal();
    return 0;
}
