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
static unsigned int __read_mostly timer_slop = 50000;
integer_param("timer_slop", timer_slop);

/* The time that an interrupt takes to arrive, in nanoseconds. */
#define INTERRUPT 10000

/*
 * A review examines all reservations, at most this many vCPUs in one critical
 * section of vlib_lock. It ends early when this many did not fit, since each
 * trial among thousands of reservations is expensive.
 */
#define REVIEWED_AT_ONCE 64
#define REFUSED_AT_MOST  4

static LIST_HEAD(reviewed);         /* all, the next to review first */
static unsigned int to_review, refused;
static uint64_t shares[NR_CPUS];    /* sum of C / T, in millionths */

/* How late a budget may end, in nanoseconds. */
s_time_t vlib_late(void)
{
    return (s_time_t)timer_slop + INTERRUPT;
}

struct vlib_usage vlib_reservation_usage(struct vlib_reservation *r)
{
    struct vlib_usage usage;
    unsigned long flags;

    spin_lock_irqsave(&r->account.lock, flags);
    usage = r->account.usage;
    spin_unlock_irqrestore(&r->account.lock, flags);
    return usage;
}

/* The CPUs on which its vCPUs are. */
static void needed(const struct vlib_reservation *r, cpumask_t *cpus)
{
    const struct vlib_callee *c;

    cpumask_clear(cpus);
    if ( r->adopted )
        vlib_domain_cpus(r->adopted, cpus);
    list_for_each_entry ( c, &r->callees, list )
        vlib_domain_cpus(c->domain, cpus);
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
        vlib_domain_attach(vd, &r->account);
}

/* Adds it to, or subtracts it from, the sums of its CPUs. */
static void weigh(const struct vlib_reservation *r, bool in)
{
    const struct vlib_server *s = &r->account.server;
    uint64_t share = s->budget * 1000000ULL / s->period;
    unsigned int cpu;

    for_each_cpu ( cpu, &r->account.admitted )
        shares[cpu] += in ? share : -share;
}

static void admit(struct vlib_reservation *r, const cpumask_t *cpus)
{
    unsigned long flags;

    weigh(r, false);
    spin_lock_irqsave(&r->account.lock, flags);
    cpumask_copy(&r->account.admitted, cpus);
    spin_unlock_irqrestore(&r->account.lock, flags);
    weigh(r, true);
    requeue(r);
}

static struct vlib_reservation *make(unsigned int id, s_time_t budget,
                                     s_time_t period)
{
    struct vlib_reservation *r = xzalloc(struct vlib_reservation);

    if ( !r )
        return NULL;
    vlib_account_init(&r->account, id, budget, period, NOW());
    INIT_LIST_HEAD(&r->callees);
    INIT_LIST_HEAD(&r->attached);
    vlib_call_init(r);
    list_add_tail(&r->list, &reviewed);
    vlib_order_insert(r);
    return r;
}

int vlib_reservation_set(struct vlib_reserve *op)
{
    struct vlib_refusal refusal;
    struct vlib_reservation *r;
    unsigned long flags;
    cpumask_t cpus;
    int rc;

    if ( !op->id || op->id >= VLIB_MAX_RESERVATIONS )
        return -EINVAL;
    if ( op->budget < VLIB_MIN_BUDGET || op->period < VLIB_MIN_PERIOD ||
         op->period > VLIB_MAX_PERIOD || op->budget > op->period )
        return -ERANGE;
    r = vlib_reservation_find(op->id);
    if ( !r )
        return make(op->id, op->budget, op->period) ? 0 : -ENOMEM;
    needed(r, &cpus);
    rc = vlib_trial(r, op->budget, op->period, &cpus, &refusal);
    if ( rc == -ENOSPC )
    {
        op->cpu = refusal.cpu;
        op->misses = refusal.misses;
        op->response = refusal.response;
    }
    if ( rc )
        return rc;
    if ( running_domain(r) )
        vlib_domain_charge(running_domain(r)); /* at the old values */
    weigh(r, false);
    vlib_order_remove(r);
    spin_lock_irqsave(&r->account.lock, flags);
    vlib_server_change(&r->account.server, op->budget, op->period, NOW());
    spin_unlock_irqrestore(&r->account.lock, flags);
    vlib_order_insert(r);
    weigh(r, true);
    admit(r, &cpus);
    return 0;
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
        vlib_domain_attach(vd, NULL);
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
    vlib_trial_forget(r);
    xfree(r);
    return 0;
}

/* Admits r on the CPUs of one more domain. */
static int extend(struct vlib_reservation *r, struct vlib_domain *vd,
                  struct vlib_bind *op)
{
    struct vlib_refusal refusal;
    cpumask_t cpus;
    int rc;

    needed(r, &cpus);
    vlib_domain_cpus(vd, &cpus);
    if ( cpumask_equal(&cpus, &r->account.admitted) )
        return 0;
    rc = vlib_trial(r, r->account.server.budget, r->account.server.period,
                    &cpus, &refusal);
    if ( rc == -ENOSPC )
    {
        op->cpu = refusal.cpu;
        op->misses = refusal.misses;
        op->response = refusal.response;
    }
    else if ( !rc )
        admit(r, &cpus);
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
            vlib_domain_attach(vd, &r->account);
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

/* Begins to review all: vCPUs may have moved. */
void vlib_reservation_review_all(void)
{
    to_review = vlib_nr_reservations;
    refused = 0;
}

/* Gives up the CPUs that its vCPUs have left, and asks for the new ones. */
static int review(struct vlib_reservation *r)
{
    struct vlib_refusal refusal;
    cpumask_t cpus;
    int rc;

    needed(r, &cpus);
    if ( cpumask_equal(&cpus, &r->account.admitted) )
        return 0;
    rc = vlib_trial(r, r->account.server.budget, r->account.server.period,
                    &cpus, &refusal);
    if ( !rc )
        admit(r, &cpus);
    else if ( rc == -ENOSPC )
    {
        refused++;
        cpumask_and(&cpus, &cpus, &r->account.admitted);
        if ( !cpumask_equal(&cpus, &r->account.admitted) )
            admit(r, &cpus);
    }
    return rc;
}

/* The number of vCPUs and domains that a review of r examines; at least 1. */
static unsigned int width(const struct vlib_reservation *r)
{
    unsigned int n = r->adopted ? vlib_domain_work(r->adopted) : 1;
    const struct vlib_callee *c;

    list_for_each_entry ( c, &r->callees, list )
        n += vlib_domain_work(c->domain);
    return n;
}

/* Continues a review. Returns whether there is more to do soon. */
bool vlib_reservation_review(void)
{
    unsigned int n = 0;

    while ( n < REVIEWED_AT_ONCE && to_review )
    {
        struct vlib_reservation *r;

        if ( list_empty(&reviewed) || refused == REFUSED_AT_MOST )
        {
            to_review = 0;
            break;
        }
        r = list_entry(reviewed.next, struct vlib_reservation, list);
        if ( review(r) == -ERESTART )
            break;
        list_move_tail(&r->list, &reviewed);
        to_review--;
        n += width(r);
    }
    return to_review;
}

/* The number of CPUs that it needs and on which it is not admitted. */
unsigned int vlib_reservation_unadmitted(const struct vlib_reservation *r)
{
    cpumask_t cpus;

    needed(r, &cpus);
    cpumask_andnot(&cpus, &cpus, &r->account.admitted);
    return cpumask_weight(&cpus);
}

/* Sum of C / T on a CPU, in millionths, including the floor. */
uint64_t vlib_admitted(unsigned int cpu)
{
    return shares[cpu] + VLIB_FLOOR_BUDGET * 1000000ULL / VLIB_FLOOR_PERIOD;
}
