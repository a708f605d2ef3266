/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports of callers: a request is to be served and paid for, a request is
 * given up, an answer has arrived.
 */
#include "module.h"

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

/* A request to be served. */
struct order {
    struct domain *caller;
    evtchn_port_t caller_port, callee_port;
    uint64_t request;
    s_time_t timeout;
};

/* Whether c is of the same channel: its port may be in use by another now. */
static bool same_channel(const struct vlib_call *c, const struct order *o)
{
    return c->callee_port == o->callee_port && c->request <= o->request;
}

/*
 * The slot for a call. It is, in this order: the slot of the same request, if
 * that is under way; the slot of a request for which the port's client no
 * longer waits, because it is queued and was answered all the same, or because
 * it was another channel's; a free slot; or NULL: the reservation is busy.
 */
static struct vlib_call *place(struct vlib_reservation *r,
                               const struct vlib_domain *vd,
                               const struct order *o)
{
    struct vlib_call *c, *free = NULL, *over = NULL;

    for ( c = r->calls; c < r->calls + VLIB_MAX_CALLS; c++ )
    {
        if ( !c->domain )
        {
            free = c;
            continue;
        }
        if ( c->domain != vd )
            return NULL;
        if ( c->caller_port != o->caller_port )
            continue;
        if ( same_channel(c, o) && c->request == o->request )
            return c;
        if ( c->state == VLIB_CALL_queued || !same_channel(c, o) )
            over = c;
    }
    return over ?: free;
}

static void make(struct vlib_call *c, const struct order *o, s_time_t now)
{
    c->caller = o->caller;
    c->caller_port = o->caller_port;
    c->callee_port = o->callee_port;
    c->request = o->request;
    c->queued = c->started = c->ended = now;
    memset(&c->cost, 0, sizeof(c->cost));
    memset(&c->memory, 0, sizeof(c->memory));
    c->reservation->last = c;
    c->reservation->count++;
}

/*
 * Whether the server has found it. Request 1 is the first of its channel: an
 * earlier finding of that number was another channel's.
 */
static bool found_before(const struct vlib_domain *vd, const struct order *o)
{
    return vd->found_port == o->callee_port &&
           vd->found_request == o->request && o->request > 1;
}

static long begin(struct vlib_call *c, struct vlib_domain *vd,
                  const struct order *o, evtchn_port_t *signal)
{
    bool served = found_before(vd, o);
    s_time_t now = NOW();

    if ( c->domain && same_channel(c, o) && c->request == o->request )
    {
        vlib_call_deadline(c, now + o->timeout);
        return c->state == VLIB_CALL_active ? VLIB_BEGUN_active
                                            : VLIB_BEGUN_queued;
    }
    if ( c->domain && same_channel(c, o) )
        vlib_call_end(c, VLIB_CALL_done, now);
    else if ( c->domain )
        vlib_call_give_up(c, VLIB_CALL_cancelled);
    if ( vd->found_port == o->callee_port )
        vd->found_port = 0;
    make(c, o, now);
    if ( served )
    {
        c->state = VLIB_CALL_done;
        vd->calls++;
        return VLIB_BEGUN_served;
    }
    vlib_call_enqueue(c, vd, now + o->timeout);
    if ( vlib_call_next(vd, now) != c )
        return VLIB_BEGUN_queued;
    if ( !vd->listening )
        *signal = c->caller_port; /* the server learns of it in no other way */
    return VLIB_BEGUN_active;
}

/*
 * The vCPU of a caller that waits is blocked from the end of this hypercall on,
 * as by SCHEDOP_block: an event unblocks it, too, and the caller looks itself
 * whether it has its answer. It may then be blocked for another reason when the
 * call ends, which is no more than an early wake-up. vCPUs of the caller's
 * domain do not end.
 */
static void wait_for(struct vlib_call *c)
{
    if ( !c->domain )
        return;
    c->waiter = current;
    vcpu_block();
}

/* Returns VLIB_BEGUN_*. */
long vlib_call(domid_t domid, evtchn_port_t port, unsigned long id,
               s_time_t timeout, uint64_t request)
{
    struct domain *caller = current->domain, *d;
    struct order o = {
        .caller = caller, .caller_port = port, .request = request,
        .timeout = timeout,
    };
    evtchn_port_t signal = 0;
    bool wait = id & VLIB_CALL_WAIT;
    struct vlib_reservation *r;
    struct vlib_domain *vd;
    struct vlib_call *c;
    long rc;

    /* The call is signalled later. Dom0 will still exist then. */
    if ( caller != hardware_domain )
        return -EPERM;
    if ( timeout <= 0 || timeout > VLIB_MAX_TIMEOUT )
        return -ERANGE;
    if ( !request )
        return -EINVAL;
    d = rcu_lock_domain_by_id(domid);
    if ( !d )
        return -ESRCH;
    rc = vlib_may_control(d, true);
    if ( !rc && (d->is_dying || d->is_shutting_down) )
        rc = -ENOTCONN;
    if ( !rc )
        rc = peer(caller, port, d, &o.callee_port);
    if ( rc )
        goto out;

    spin_lock(&vlib_lock);
    vd = vlib_domain_find(d);
    r = vlib_reservation_find(id & ~(unsigned long)VLIB_CALL_WAIT);
    if ( !r )
        rc = -ENOENT;
    else if ( !vd || !(vd->flags & (VLIB_DOMAIN_listens | VLIB_DOMAIN_parks)) )
        rc = -ENXIO;
    else if ( !vlib_reservation_allows(r, vd) )
        rc = -EACCES;
    else
    {
        c = place(r, vd, &o);
        rc = c ? begin(c, vd, &o, &signal) : -EBUSY;
        if ( wait && c )
            wait_for(c);
    }
    spin_unlock(&vlib_lock);
    if ( signal )
        evtchn_send(caller, signal);
 out:
    rcu_unlock_domain(d);
    return rc;
}

static bool is(const struct vlib_call *c, domid_t domid, evtchn_port_t port)
{
    return c->domain && c->domain->domid == domid && c->caller_port == port;
}

/* Gives up a request; request 0: any call of the reservation. */
long vlib_cancel(domid_t domid, evtchn_port_t port, unsigned long id,
                 uint64_t request)
{
    struct vlib_reservation *r;
    struct vlib_call *c;
    long rc = -ESRCH;

    spin_lock(&vlib_lock);
    r = vlib_reservation_find(id);
    if ( !r )
        rc = -ENOENT;
    else if ( !request )
        rc = vlib_call_stop(r, VLIB_CALL_cancelled) ? 0 : -ESRCH;
    else
        for ( c = r->calls; rc && c < r->calls + VLIB_MAX_CALLS; c++ )
            if ( is(c, domid, port) && c->request == request )
            {
                vlib_call_give_up(c, VLIB_CALL_cancelled);
                rc = 0;
            }
    spin_unlock(&vlib_lock);
    return rc;
}

/* For one domain: a request and all earlier ones are answered. */
static bool answered(struct vlib_reservation *r, struct vlib_domain *vd,
                     evtchn_port_t port, uint64_t request)
{
    struct vlib_call *c;
    bool any = false;

    for ( c = r->calls; c < r->calls + VLIB_MAX_CALLS; c++ )
        if ( c->domain == vd && (!request || (c->caller_port == port &&
                                              c->request <= request)) )
        {
            vlib_call_end(c, VLIB_CALL_done, NOW());
            any = true;
        }
    if ( vd->abandoned == r->id &&
         (!request || (vd->abandoned_port == port &&
                       vd->abandoned_request <= request)) )
    {
        vlib_call_free(vd);
        any = true;
    }
    if ( any )
        vlib_call_resume(vd);
    return any;
}

/* A domain in which a reservation has a call, or gave one up; or NULL. */
static struct vlib_domain *next_of(const struct vlib_reservation *r)
{
    if ( vlib_call_domain(r) || list_empty(&r->busy) )
        return vlib_call_domain(r);
    return list_entry(r->busy.next, struct vlib_domain, busy);
}

/*
 * The caller has its answer, to a call that is active or queued, or was given
 * up before. Request 0: to all calls of the reservation, in all domains.
 */
long vlib_finish(domid_t domid, evtchn_port_t port, unsigned long id,
                 uint64_t request)
{
    struct vlib_reservation *r;
    struct vlib_domain *vd = NULL;
    unsigned int work = 0;
    long rc = -ESRCH;

    spin_lock(&vlib_lock);
    while ( (r = vlib_reservation_find(id)) != NULL )
    {
        vd = request ? vlib_domain_named(domid, vd) : next_of(r);
        if ( !vd )
            break;
        if ( answered(r, vd, port, request) )
            rc = 0;
        if ( request )
            continue;
        work += vlib_domain_work(vd);
        if ( work < VLIB_UNITS_AT_ONCE )
            continue;
        work = 0;
        spin_unlock(&vlib_lock);
        spin_lock(&vlib_lock);
    }
    if ( !r && rc )
        rc = -ENOENT;
    spin_unlock(&vlib_lock);
    vlib_call_signal();
    return rc;
}

/*
 * A caller whose end of the event channel is closed does not wait for an
 * answer: its process has died, or the channel was closed. Ends the active call
 * if it is of such a caller, and returns whether it was. Calls that are queued
 * are examined when they begin.
 */
bool vlib_call_check(struct vlib_domain *vd)
{
    struct vlib_call *c = vd->active;
    evtchn_port_t other;

    if ( !c || (!peer(c->caller, c->caller_port, vd->domain, &other) &&
                other == c->callee_port) )
        return false;
    vlib_call_give_up(c, VLIB_CALL_cancelled);
    return true;
}
