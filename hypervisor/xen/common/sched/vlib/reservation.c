/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reservations: made, changed, given to domains, admitted to CPUs.
 *
 * A reservation is admitted on every CPU on which a domain that runs on it, or
 * that it may call, has a vCPU. Where it is not, because a vCPU was moved
 * there, it gives background time only, until the next review admits it.
 */
#include <xen/nospec.h>

#include "module.h"

/* What timers' slop and an interrupt's way can make a budget's end late. */
#define LATE 60000

#define TESTED_AT_ONCE 4

LIST_HEAD(vlib_reservations);
unsigned int vlib_nr_reservations;
static struct vlib_reservation *table[VLIB_MAX_RESERVATIONS];
static struct vlib_task tasks[VLIB_MAX_RESERVATIONS + 1]; /* vlib_lock */

struct vlib_reservation *vlib_reservation_find(unsigned long id)
{
    return id < VLIB_MAX_RESERVATIONS
           ? table[array_index_nospec(id, VLIB_MAX_RESERVATIONS)] : NULL;
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

static bool fits(unsigned int cpu, const struct vlib_reservation *r,
                 s_time_t budget, s_time_t period,
                 struct vlib_verdict *verdict)
{
    const struct vlib_runqueue *q = vlib_runqueue(cpu);
    const struct vlib_reservation *other;
    unsigned int n = 0;

    if ( !q )
        return true; /* another scheduler's: nobody is promised anything */
    tasks[n].id = 0;
    tasks[n].budget = q->floor.server.budget;
    tasks[n++].period = q->floor.server.period;
    list_for_each_entry ( other, &vlib_reservations, list )
    {
        if ( other == r || !cpumask_test_cpu(cpu, &other->account.admitted) )
            continue;
        tasks[n].id = other->account.id;
        tasks[n].budget = other->account.server.budget;
        tasks[n++].period = other->account.server.period;
    }
    tasks[n].id = r->account.id;
    tasks[n].budget = budget;
    tasks[n++].period = period;
    return vlib_admit(tasks, n, LATE, verdict);
}

/* The first of cpus on which it would not fit, or nr_cpu_ids. */
static unsigned int refuses(const cpumask_t *cpus,
                            const struct vlib_reservation *r, s_time_t budget,
                            s_time_t period, struct vlib_verdict *verdict)
{
    unsigned int cpu;

    for_each_cpu ( cpu, cpus )
        if ( !fits(cpu, r, budget, period, verdict) )
            break;
    return cpu;
}

/* The domain that runs on it now, or NULL. */
static struct vlib_domain *payee(const struct vlib_reservation *r)
{
    if ( vlib_call_runs(r) )
        return vlib_call_runs(r);
    return r->adopted && !r->adopted->active ? r->adopted : NULL;
}

/* Makes those that pay from it look again. */
static void requeue(struct vlib_reservation *r)
{
    struct vlib_domain *vd = payee(r);

    if ( vd )
        vlib_domain_attach(vd, &r->account);
}

static void admit(struct vlib_reservation *r, const cpumask_t *cpus)
{
    unsigned long flags;

    spin_lock_irqsave(&r->account.lock, flags);
    cpumask_copy(&r->account.admitted, cpus);
    spin_unlock_irqrestore(&r->account.lock, flags);
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
    vlib_call_init(r);
    list_add_tail(&r->list, &vlib_reservations);
    table[id] = r;
    vlib_nr_reservations++;
    return r;
}

int vlib_reservation_set(struct vlib_reserve *op)
{
    struct vlib_reservation *r;
    struct vlib_verdict verdict;
    unsigned long flags;
    cpumask_t cpus;

    if ( !op->id || op->id >= VLIB_MAX_RESERVATIONS )
        return -EINVAL;
    if ( op->budget < VLIB_MIN_BUDGET || op->period < VLIB_MIN_PERIOD ||
         op->period > VLIB_MAX_PERIOD || op->budget > op->period )
        return -ERANGE;
    r = vlib_reservation_find(op->id);
    if ( !r )
        return make(op->id, op->budget, op->period) ? 0 : -ENOMEM;
    needed(r, &cpus);
    op->cpu = refuses(&cpus, r, op->budget, op->period, &verdict);
    if ( op->cpu < nr_cpu_ids )
    {
        op->misses = verdict.id;
        op->response = verdict.response;
        return -ENOSPC;
    }
    if ( payee(r) )
        vlib_domain_charge(payee(r)); /* what ran up to now, by the old */
    spin_lock_irqsave(&r->account.lock, flags);
    vlib_server_change(&r->account.server, op->budget, op->period, NOW());
    spin_unlock_irqrestore(&r->account.lock, flags);
    admit(r, &cpus);
    return 0;
}

static void disallow(struct vlib_reservation *r, struct vlib_callee *c)
{
    list_del(&c->list);
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

int vlib_reservation_remove(unsigned int id)
{
    struct vlib_reservation *r = vlib_reservation_find(id);

    if ( !r )
        return -ENOENT;
    vlib_call_stop(r, VLIB_CALL_cancelled);
    vlib_call_forget(id);
    vlib_domain_settle_all();
    if ( r->adopted )
        release_domain(r);
    while ( !list_empty(&r->callees) )
        disallow(r, list_entry(r->callees.next, struct vlib_callee, list));
    list_del(&r->list);
    table[id] = NULL;
    vlib_nr_reservations--;
    xfree(r);
    return 0;
}

/* Admits r for the CPUs of one more domain. */
static int extend(struct vlib_reservation *r, struct vlib_domain *vd,
                  struct vlib_bind *op)
{
    struct vlib_verdict verdict;
    cpumask_t cpus;

    needed(r, &cpus);
    vlib_domain_cpus(vd, &cpus);
    op->cpu = refuses(&cpus, r, r->account.server.budget,
                      r->account.server.period, &verdict);
    if ( op->cpu < nr_cpu_ids )
    {
        op->misses = verdict.id;
        op->response = verdict.response;
        return -ENOSPC;
    }
    admit(r, &cpus);
    return 0;
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
    vd = vlib_domain_make(d);
    if ( !vd )
        return -ENOMEM;
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
    vd = vlib_domain_make(d);
    if ( !vd )
        return -ENOMEM;
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
    list_add_tail(&c->list, &r->callees);
    r->nr_callees++;
    return 0;
}

/* The domain is gone. */
void vlib_reservation_forget(struct vlib_domain *vd)
{
    struct vlib_reservation *r;

    list_for_each_entry ( r, &vlib_reservations, list )
    {
        struct vlib_callee *c = callee(r, vd);

        if ( c )
            disallow(r, c);
    }
    if ( vd->adopter )
        release_domain(vd->adopter);
}

/*
 * vCPUs may have moved: gives up the CPUs they left, and asks for the new. A
 * test takes long where there are many reservations, and nobody can call
 * meanwhile: at most a few are tested at a time. Says whether to go on soon.
 */
bool vlib_reservation_readmit(void)
{
    struct vlib_reservation *r, *tested[TESTED_AT_ONCE];
    unsigned int n = 0, admitted = 0, i;
    bool more = false;

    list_for_each_entry ( r, &vlib_reservations, list )
    {
        struct vlib_verdict verdict;
        cpumask_t cpus, both;

        needed(r, &cpus);
        if ( cpumask_equal(&cpus, &r->account.admitted) )
            continue;
        more = n == TESTED_AT_ONCE;
        if ( more )
            break;
        tested[n++] = r;
        if ( refuses(&cpus, r, r->account.server.budget,
                     r->account.server.period, &verdict) == nr_cpu_ids )
        {
            admit(r, &cpus);
            admitted++;
        }
        else
        {
            cpumask_and(&both, &cpus, &r->account.admitted);
            if ( !cpumask_equal(&both, &r->account.admitted) )
                admit(r, &both);
        }
    }
    for ( i = 0; i < n; i++ )
        list_move_tail(&tested[i]->list, &vlib_reservations);
    return more && admitted;
}

/* On how many of the CPUs that it needs it is not admitted. */
unsigned int vlib_reservation_unadmitted(const struct vlib_reservation *r)
{
    cpumask_t cpus;

    needed(r, &cpus);
    cpumask_andnot(&cpus, &cpus, &r->account.admitted);
    return cpumask_weight(&cpus);
}

/* Sum of C / T on a CPU, in millionths, the floor included. */
uint64_t vlib_admitted(unsigned int cpu)
{
    const struct vlib_runqueue *q = vlib_runqueue(cpu);
    const struct vlib_reservation *r;
    uint64_t sum = q ? q->floor.server.budget * 1000000ULL /
                       q->floor.server.period : 0;

    list_for_each_entry ( r, &vlib_reservations, list )
        if ( cpumask_test_cpu(cpu, &r->account.admitted) )
            sum += r->account.server.budget * 1000000ULL /
                   r->account.server.period;
    return sum;
}
