/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gate: while it is closed, it keeps every vCPU of a domain off every CPU.
 * Closing does not wait: a vCPU that runs elsewhere is interrupted and leaves
 * at once. A hold keeps the gate open until its owner drops it or its time is
 * over.
 */
#include "module.h"

static LIST_HEAD(gates);            /* all, the next one first */
static struct vlib_heap hold_ends;  /* of all domains with holds */

void vlib_gate_insert(struct vlib_domain *vd)
{
    list_add_tail(&vd->gate, &gates);
}

void vlib_gate_remove(struct vlib_domain *vd)
{
    list_del_init(&vd->gate);
    if ( vd->hold_ends.queued )
        vlib_heap_remove(&hold_ends, &vd->hold_ends);
}

/*
 * A domain without a vCPU under this scheduler, for example in another pool,
 * cannot be gated. Its gate is open, and a listening server is told so.
 */
static bool wanted(const struct vlib_domain *vd)
{
    if ( vlib_lease_lost || vd->holds || list_empty(&vd->units) )
        return true;
    if ( vd->flags & VLIB_DOMAIN_closed )
        return false;
    if ( vd->flags & VLIB_DOMAIN_parks )
        return vd->active || vd->abandoned;
    return !vd->listening || vd->active;
}

static void close(struct vlib_unit *vu)
{
    unsigned long flags;
    spinlock_t *lock = vlib_unit_lock(vu, &flags);

    vu->gated = true;
    vlib_unit_stop(vu);
    vlib_unit_unlock(lock, flags, vu);
}

/*
 * How long nothing of the domain ran. It counts from when the last vCPU had
 * left its CPU, not from the order to close: else the guest's clock would go
 * back.
 */
static s_time_t stopped(struct vlib_domain *vd, s_time_t now)
{
    s_time_t from = vd->closed_at;
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &vd->units, list )
    {
        unsigned long flags;
        spinlock_t *lock = vlib_unit_lock(vu, &flags);

        from = max(from, vu->off_since);
        if ( curr_on_cpu(sched_unit_master(vu->unit)) == vu->unit )
            from = now;
        vlib_unit_unlock(lock, flags, vu);
    }
    return max(now - from, (s_time_t)0);
}

void vlib_gate_apply(struct vlib_domain *vd, s_time_t now)
{
    bool is_open = wanted(vd);
    struct vlib_unit *vu;

    if ( is_open == vd->open )
        return;
    vd->open = is_open;
    if ( is_open )
    {
        if ( vd->flags & VLIB_DOMAIN_stop_time )
            vlib_clock_stop(vd->domid, stopped(vd, now));
        vd->unsettled = true; /* opens with the account */
        vlib_domain_settle(vd, now);
        return;
    }
    vd->closed_at = now;
    list_for_each_entry ( vu, &vd->units, list )
        close(vu);
}

/*
 * Applies all gates after a change that concerns all, a few in one critical
 * section. A domain that arrives meanwhile has its gate right from the start.
 * Only this function changes the order of the list, so that no gate is skipped;
 * if it is called meanwhile, some gates are applied twice.
 */
void vlib_gate_apply_all(void)
{
    static unsigned int left;
    bool more;

    spin_lock(&vlib_lock);
    left = vlib_nr_domains;
    do {
        unsigned int work = 0;

        while ( left && !list_empty(&gates) && work < VLIB_UNITS_AT_ONCE )
        {
            struct vlib_domain *vd = list_entry(gates.next, struct vlib_domain,
                                                gate);

            list_move_tail(&vd->gate, &gates);
            vlib_gate_apply(vd, NOW());
            work += vlib_domain_work(vd);
            left--;
        }
        more = work >= VLIB_UNITS_AT_ONCE;
        spin_unlock(&vlib_lock);
        spin_lock(&vlib_lock);
    } while ( more );
    spin_unlock(&vlib_lock);
}

/* Updates when the first of the domain's holds ends. */
static void hold_until(struct vlib_domain *vd)
{
    s_time_t first = VLIB_NEVER;
    unsigned int i;

    for ( i = 0; i < VLIB_MAX_HOLDS; i++ )
        if ( vd->hold[i].number )
            first = min(first, vd->hold[i].until);
    if ( vd->hold_ends.queued )
        vlib_heap_remove(&hold_ends, &vd->hold_ends);
    if ( !vd->holds )
        return;
    vlib_heap_insert(&hold_ends, &vd->hold_ends, first, 0);
    vlib_housekeeping_by(first);
}

/* Ends expired holds and the one with that number. */
static void end_holds(struct vlib_domain *vd, s_time_t now, uint32_t number)
{
    unsigned int i;

    for ( i = 0; i < VLIB_MAX_HOLDS; i++ )
    {
        struct vlib_hold *h = &vd->hold[i];

        if ( !h->number || (h->until > now && h->number != number) )
            continue;
        h->number = 0;
        vd->holds--;
    }
    hold_until(vd);
}

/* Returns the number of the hold; its owner drops it by that. */
static long take(struct vlib_domain *vd, s_time_t limit)
{
    static uint32_t last;
    unsigned int i;

    end_holds(vd, NOW(), 0);
    for ( i = 0; i < VLIB_MAX_HOLDS && vd->hold[i].number; i++ )
        ;
    if ( i == VLIB_MAX_HOLDS )
        return -EBUSY;
    last = last == INT_MAX ? 1 : last + 1;
    vd->hold[i] = (struct vlib_hold){ .number = last, .until = NOW() + limit };
    vd->holds++;
    hold_until(vd);
    vlib_gate_apply(vd, NOW());
    return last;
}

static long drop(struct vlib_domain *vd, unsigned long number)
{
    unsigned int i;

    for ( i = 0; i < VLIB_MAX_HOLDS && vd->hold[i].number != number; i++ )
        ;
    if ( i == VLIB_MAX_HOLDS )
        return -ENOENT; /* it has expired */
    end_holds(vd, 0, number);
    vlib_gate_apply(vd, NOW());
    return 0;
}

long vlib_hold(domid_t domid, unsigned long number, s_time_t limit)
{
    struct domain *d = rcu_lock_domain_by_id(domid);
    struct vlib_domain *vd;
    long rc;

    if ( !d )
        return -ESRCH;
    rc = vlib_may_control(d, true);
    if ( !rc && !number && (limit <= 0 || limit > VLIB_MAX_TIMEOUT) )
        rc = -ERANGE;
    if ( !rc )
    {
        spin_lock(&vlib_lock);
        vd = vlib_domain_find(d);
        if ( !vd )
            rc = -ENXIO;
        else
            rc = number ? drop(vd, number) : take(vd, limit);
        spin_unlock(&vlib_lock);
    }
    rcu_unlock_domain(d);
    return rc;
}

/* Ends expired holds; returns when the next one ends. */
s_time_t vlib_hold_expire(s_time_t now)
{
    unsigned int work = 0;

    while ( hold_ends.first && hold_ends.first->key <= now &&
            work < VLIB_UNITS_AT_ONCE )
    {
        struct vlib_domain *vd = container_of(hold_ends.first,
                                              struct vlib_domain, hold_ends);

        work += vlib_domain_work(vd);
        end_holds(vd, now, 0);
        vlib_gate_apply(vd, NOW());
    }
    return hold_ends.first ? max(hold_ends.first->key, now) : VLIB_NEVER;
}
