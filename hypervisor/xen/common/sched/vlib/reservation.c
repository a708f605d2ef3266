/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reservations: created, changed, given to domains, admitted to CPUs.
 *
 * A reservation is admitted on every CPU on which a domain that runs on it, or
 * that it may call, has a vCPU. On a CPU where it is not admitted, because a
 * vCPU was moved there, it gives background time only, until a review admits
 * it.
 */
#include <xen/param.h>

#include "module.h"

/*
 * Xen's own option, which it does not export. Timers that are due within this
 * many nanoseconds fire together, so the first of them fires late.
 */
unsigned int __read_mostly vlib_timer_slop = 50000;
integer_param("timer_slop", vlib_timer_slop);

/* The time that an interrupt takes to arrive, in nanoseconds. */
#define INTERRUPT 10000

static uint64_t shares[NR_CPUS];    /* sum of C / T, in millionths */

/* How late a budget may end, in nanoseconds. */
s_time_t vlib_late(void)
{
    return (s_time_t)vlib_timer_slop + INTERRUPT;
}

/* The domain that runs on it now, or NULL. */
static struct vlib_domain *running_domain(const struct vlib_reservation *r)
{
    if ( vlib_call_runs(r) )
        return vlib_call_runs(r);
    return r->adopted && !r->adopted->active ? r->adopted : NULL;
}

/* Re-evaluates the vCPUs that run on it. */
static void requeue(struct vlib_reservation *r)
{
    struct vlib_domain *vd = running_domain(r);

    if ( vd )
        vlib_domain_attach(vd, r, NOW());
}

/* C / T in millionths. */
uint64_t vlib_share(s_time_t budget, s_time_t period)
{
    return budget * 1000000ULL / period;
}

/* Adds it to, or subtracts it from, the sums of its CPUs. */
static void weigh(struct vlib_reservation *r, bool in)
{
    const struct vlib_server *s = vlib_values(r);
    uint64_t share = vlib_share(s->budget, s->period);
    unsigned int i, cpu;

    cpumask_clear(&r->cpus);
    for ( i = 0; i < r->nr_servers; i++ )
    {
        for_each_cpu ( cpu, &r->server[i]->admitted )
            shares[cpu] += in ? share : -share;
        cpumask_or(&r->cpus, &r->cpus, &r->server[i]->admitted);
    }
}

static void admit_server(struct vlib_account *a, const cpumask_t *cpus)
{
    unsigned long flags;

    spin_lock_irqsave(&a->lock, flags);
    cpumask_copy(&a->admitted, cpus);
    spin_unlock_irqrestore(&a->lock, flags);
}

void vlib_reservation_admit(struct vlib_reservation *r)
{
    unsigned int i;

    weigh(r, false);
    for ( i = 0; i < r->nr_servers; i++ )
        admit_server(r->server[i], vlib_trial_need(i));
    weigh(r, true);
    vlib_trial_move();
    requeue(r);
}

void vlib_reservation_withdraw(struct vlib_reservation *r, unsigned int server,
                               const cpumask_t *cpus)
{
    weigh(r, false);
    admit_server(r->server[server], cpus);
    weigh(r, true);
    requeue(r);
}

static int make(const struct vlib_reserve *op)
{
    struct vlib_reservation *r = xzalloc(struct vlib_reservation);

    if ( !r )
        return -ENOMEM;
    r->id = op->id;
    if ( vlib_servers_add(r, op->servers, op->budget, op->period) )
    {
        xfree(r);
        return -ENOMEM;
    }
    INIT_LIST_HEAD(&r->callees);
    INIT_LIST_HEAD(&r->attached);
    vlib_call_init(r);
    list_add_tail(&r->list, &vlib_reviewed);
    vlib_order_insert(r);
    return 0;
}

/* Changes the values of its servers, and their number. */
static int change(struct vlib_reservation *r, const struct vlib_reserve *op)
{
    struct vlib_domain *vd = running_domain(r);
    unsigned int before = r->nr_servers, i;
    int rc;

    if ( vd )
        vlib_domain_charge(vd, NOW()); /* at the old values */
    weigh(r, false);
    rc = vlib_servers_add(r, op->servers, op->budget, op->period);
    if ( !rc )
    {
        vlib_order_remove(r);
        for ( i = 0; i < before; i++ )
        {
            struct vlib_account *a = r->server[i];
            unsigned long flags;

            spin_lock_irqsave(&a->lock, flags);
            vlib_server_change(&a->server, op->budget, op->period, NOW());
            spin_unlock_irqrestore(&a->lock, flags);
        }
        vlib_order_insert(r);
    }
    if ( !rc && op->servers < before )
    {
        if ( vd )
            vlib_domain_attach(vd, NULL, NOW());
        vlib_servers_trim(r, op->servers);
    }
    weigh(r, true);
    return rc;
}

/* Whether a domain has a vCPU for each server; in another pool it has none. */
static bool enough(const struct vlib_domain *vd, unsigned int servers)
{
    return !vd->nr_units || servers <= vd->nr_units;
}

static int valid(const struct vlib_reserve *op,
                 const struct vlib_reservation *r)
{
    if ( !op->id || op->id >= VLIB_MAX_RESERVATIONS )
        return -EINVAL;
    if ( op->budget < VLIB_MIN_BUDGET || op->period < VLIB_MIN_PERIOD ||
         op->period > VLIB_MAX_PERIOD || op->budget > op->period ||
         !op->servers || op->servers > VLIB_MAX_SERVERS )
        return -ERANGE;
    if ( !vlib_servers_left(r ? r->nr_servers : 0, op->servers) )
        return -E2BIG;
    return r && r->adopted && !enough(r->adopted, op->servers) ? -EDOM : 0;
}

int vlib_reservation_set(struct vlib_reserve *op)
{
    struct vlib_reservation *r = vlib_reservation_find(op->id);
    struct vlib_query q = {
        .r = r, .budget = op->budget, .period = op->period,
        .servers = op->servers, .only = VLIB_ALL,
    };
    struct vlib_refusal refusal;
    int rc = valid(op, r);

    if ( rc )
        return rc;
    if ( !r )
        return make(op);
    if ( op->servers != r->nr_servers && vlib_domain_settle_all(r) )
        return -ERESTART;
    rc = vlib_fit(&q, &refusal);
    if ( rc == -ENOSPC )
    {
        op->cpu = refusal.cpu;
        op->server = refusal.server;
        op->misses = refusal.misses;
        op->response = refusal.response;
    }
    if ( !rc )
        rc = change(r, op);
    if ( !rc )
        vlib_reservation_admit(r);
    return rc;
}

static void disallow(struct vlib_reservation *r, struct vlib_callee *c)
{
    list_del(&c->list);
    list_del(&c->callers);
    r->nr_callees--;
    xfree(c);
}

static void release_domain(struct vlib_reservation *r)
{
    struct vlib_domain *vd = r->adopted;

    r->adopted = NULL;
    vd->adopter = NULL;
    if ( !vd->active )
        vlib_domain_attach(vd, NULL, NOW());
}

/* Removes its domains of one kind; returns whether there were any. */
static bool leave(struct vlib_reservation *r)
{
    if ( vlib_call_stop(r, VLIB_CALL_cancelled) || vlib_call_forget(r) )
        return true;
    if ( !r->adopted )
        return vlib_domain_settle_all(r);
    release_domain(r);
    return true;
}

/*
 * -ERESTART: it has left some of its domains, which is enough for one critical
 * section.
 */
int vlib_reservation_remove(unsigned int id)
{
    struct vlib_reservation *r = vlib_reservation_find(id);

    if ( !r )
        return -ENOENT;
    if ( leave(r) )
        return -ERESTART;
    while ( !list_empty(&r->callees) )
        disallow(r, list_entry(r->callees.next, struct vlib_callee, list));
    weigh(r, false);
    list_del(&r->list);
    vlib_order_remove(r);
    vlib_trial_forget(r, NULL);
    vlib_servers_trim(r, 0);
    xfree(r);
    return 0;
}

/* Admits r on the CPUs of one more domain. */
static int extend(struct vlib_reservation *r, struct vlib_domain *vd,
                  struct vlib_bind *op)
{
    const struct vlib_server *s = vlib_values(r);
    struct vlib_query q = {
        .r = r, .budget = s->budget, .period = s->period,
        .servers = r->nr_servers, .only = VLIB_ALL, .added = vd,
    };
    struct vlib_refusal refusal;
    int rc = vlib_fit(&q, &refusal);

    if ( rc == -ENOSPC )
    {
        op->cpu = refusal.cpu;
        op->server = refusal.server;
        op->misses = refusal.misses;
        op->response = refusal.response;
    }
    else if ( !rc )
        vlib_reservation_admit(r);
    return rc;
}

int vlib_reservation_adopt(struct vlib_bind *op, struct domain *d)
{
    struct vlib_reservation *r = vlib_reservation_find(op->id);
    struct vlib_domain *vd;
    int rc;

    if ( op->flags )
        return -EINVAL;
    if ( op->id && !r )
        return -ENOENT;
    rc = vlib_domain_make(d, &vd);
    if ( rc )
        return rc;
    if ( r )
    {
        if ( r->adopted == vd )
            return 0;
        if ( r->adopted || r->nr_callees || vlib_call_domain(r) )
            return -EBUSY;
        if ( !enough(vd, r->nr_servers) )
            return -EDOM;
        rc = extend(r, vd, op);
        if ( rc )
            return rc;
    }
    if ( vd->adopter )
        release_domain(vd->adopter);
    if ( r )
    {
        r->adopted = vd;
        vd->adopter = r;
        if ( !vd->active )
            vlib_domain_attach(vd, r, NOW());
    }
    return 0;
}

static struct vlib_callee *callee(const struct vlib_reservation *r,
                                  const struct vlib_domain *vd)
{
    struct vlib_callee *c;

    list_for_each_entry ( c, &r->callees, list )
        if ( c->domain == vd )
            return c;
    return NULL;
}

bool vlib_reservation_allows(const struct vlib_reservation *r,
                             const struct vlib_domain *vd)
{
    return callee(r, vd);
}

int vlib_reservation_allow(struct vlib_bind *op, struct domain *d)
{
    struct vlib_reservation *r = vlib_reservation_find(op->id);
    struct vlib_domain *vd;
    struct vlib_callee *c;
    int rc;

    if ( op->flags & ~VLIB_BIND_remove )
        return -EINVAL;
    if ( !r )
        return -ENOENT;
    rc = vlib_domain_make(d, &vd);
    if ( rc )
        return rc;
    c = callee(r, vd);
    if ( op->flags & VLIB_BIND_remove )
    {
        if ( c && vlib_call_domain(r) == vd )
            return -EBUSY;
        if ( c )
            disallow(r, c);
        return 0;
    }
    if ( c )
        return 0;
    if ( r->adopted )
        return -EBUSY;
    if ( r->nr_callees == VLIB_MAX_CALLEES )
        return -E2BIG;
    rc = extend(r, vd, op);
    if ( rc )
        return rc;
    c = xzalloc(struct vlib_callee);
    if ( !c )
        return -ENOMEM;
    c->domain = vd;
    c->reservation = r;
    list_add_tail(&c->callers, &vd->callers);
    list_add_tail(&c->list, &r->callees);
    r->nr_callees++;
    return 0;
}

/*
 * The domain is gone: removes one reservation that it runs on, or by which it
 * may be called. Returns whether there was one.
 */
bool vlib_reservation_forget_one(struct vlib_domain *vd)
{
    struct vlib_callee *c;

    if ( !list_empty(&vd->callers) )
    {
        c = list_entry(vd->callers.next, struct vlib_callee, callers);
        disallow(c->reservation, c);
        return true;
    }
    if ( !vd->adopter )
        return false;
    release_domain(vd->adopter);
    return true;
}

/* Sum of C / T on a CPU, in millionths, including the floor. */
uint64_t vlib_admitted(unsigned int cpu)
{
    return shares[cpu] + VLIB_FLOOR_BUDGET * 1000000ULL / VLIB_FLOOR_PERIOD;
}
