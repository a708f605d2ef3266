/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports of a domain's server: which request it has served, and whether it
 * waits for the next.
 */
#include "module.h"

/* The calling domain, if it may listen. */
static struct vlib_domain *listener(void)
{
    struct vlib_domain *vd = vlib_domain_find(current->domain);

    return vd && (vd->flags & VLIB_DOMAIN_listens) ? vd : NULL;
}

/*
 * The server has finished a request, and so all earlier ones of that port; it
 * works on nothing else. Request 0 means the one that it was told of.
 */
static void served(struct vlib_domain *vd, evtchn_port_t port,
                   uint64_t request, s_time_t now)
{
    struct vlib_call *c = vd->active;
    bool named = false;

    vlib_call_free(vd);
    if ( !port )
        return;
    if ( c && c->callee_port == port &&
         (request ? c->request <= request : vd->delivered) )
    {
        named = c->request == request;
        vlib_call_end(c, VLIB_CALL_done, now);
    }
    if ( request && !named )
    {
        vd->found_port = port;
        vd->found_request = request;
    }
}

/* The port of a call that the server was not yet told of; 0: there is none. */
static long deliver(struct vlib_domain *vd, s_time_t now)
{
    vlib_call_next(vd, now);
    if ( !vd->active || vd->delivered )
        return 0;
    vd->delivered = true;
    vd->listening = false;
    return vd->active->callee_port;
}

#define FLAG_SIGNAL  1UL
#define FLAG_RESUMED 2UL /* Xen's own: the gate was closed meanwhile */

long vlib_listen(unsigned long port, unsigned long flags, uint64_t request)
{
    struct domain *d = current->domain;
    struct vlib_domain *vd;
    bool closed = false;
    s_time_t now;
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
    now = NOW();
    if ( !(flags & FLAG_RESUMED) )
        served(vd, port, request, now);
    rc = deliver(vd, now);
    if ( !rc )
    {
        vd->listening = !vlib_lease_lost && !vd->holds;
        vlib_call_applied(vd, now);
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

/* As listen, for a server that then waits for events. */
long vlib_complete(unsigned long port, unsigned long flags, uint64_t request)
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
    served(vd, port, request, NOW());
    vlib_call_resume(vd);
    spin_unlock(&vlib_lock);
    if ( (flags & FLAG_SIGNAL) && port )
        evtchn_send(d, port);
    vlib_call_signal();
    return 0;
}
