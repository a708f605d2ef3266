/* SPDX-License-Identifier: GPL-2.0-only */
/* The domains that the module was told of, and their vCPUs. */
#include "module.h"

DEFINE_SPINLOCK(vlib_lock);
LIST_HEAD(vlib_domains);
LIST_HEAD(vlib_units);

/*
 * A record may outlive its domain by a second, until the sweep: the number and
 * the structure together say that it is still the same.
 */
struct vlib_domain *vlib_domain_find(const struct domain *d)
{
    struct vlib_domain *vd;

    list_for_each_entry ( vd, &vlib_domains, list )
        if ( vd->domid == d->domain_id && vd->domain == d )
            return vd;
    return NULL;
}

/* Finds or makes. The vCPUs under this scheduler join it. */
struct vlib_domain *vlib_domain_make(struct domain *d)
{
    struct vlib_domain *vd = vlib_domain_find(d);
    struct vlib_unit *vu;

    if ( vd )
        return vd;
    vd = xzalloc(struct vlib_domain);
    if ( !vd )
        return NULL;
    vd->domain = d;
    vd->domid = d->domain_id;
    vd->open = true;
    INIT_LIST_HEAD(&vd->units);
    INIT_LIST_HEAD(&vd->queue);
    vlib_clock_reset(vd->domid);
    list_add_tail(&vd->list, &vlib_domains);
    vlib_housekeeping_by(NOW() + SECONDS(1));
    list_for_each_entry ( vu, &vlib_units, all )
        if ( vu->unit->domain == d )
            vlib_domain_join(vu);
    return vd;
}

/* Whether it is under this scheduler, as far as that can be said now. */
bool vlib_domain_here(const struct domain *d)
{
    const struct vlib_unit *vu;

    list_for_each_entry ( vu, &vlib_units, all )
        if ( vu->unit->domain == d )
            return true;
    return false;
}

static struct vlib_account *payer_of(const struct vlib_domain *vd)
{
    if ( vd->active )
        return &vd->active->payer->account;
    return vd->adopter ? &vd->adopter->account : NULL;
}

void vlib_domain_join(struct vlib_unit *vu)
{
    struct vlib_domain *vd = vlib_domain_find(vu->unit->domain);
    unsigned long flags;
    spinlock_t *lock;

    if ( !vd || vu->domain )
        return;
    vu->domain = vd;
    list_add_tail(&vu->list, &vd->units);
    lock = unit_schedule_lock_irqsave(vu->unit, &flags);
    vlib_attach(&vu->entity, payer_of(vd), NOW());
    vlib_spare(&vu->entity, vd->flags & VLIB_DOMAIN_critical, NOW());
    vu->gated = !vd->open;
    unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
}

void vlib_domain_leave(struct vlib_unit *vu)
{
    unsigned long flags;
    spinlock_t *lock;

    if ( !vu->domain )
        return;
    lock = unit_schedule_lock_irqsave(vu->unit, &flags);
    vlib_attach(&vu->entity, NULL, NOW());
    vlib_spare(&vu->entity, false, NOW());
    vu->gated = false;
    unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
    list_del_init(&vu->list);
    vu->domain = NULL;
}

/* Who pays for all vCPUs from now on. */
void vlib_domain_attach(struct vlib_domain *vd, struct vlib_account *a)
{
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &vd->units, list )
    {
        unsigned long flags;
        spinlock_t *lock = unit_schedule_lock_irqsave(vu->unit, &flags);

        vlib_attach(&vu->entity, a, NOW());
        unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
    }
}

/* Whether the throttle spares its vCPUs is as its flags say now. */
void vlib_domain_spare(struct vlib_domain *vd)
{
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &vd->units, list )
    {
        unsigned long flags;
        spinlock_t *lock = unit_schedule_lock_irqsave(vu->unit, &flags);

        vlib_spare(&vu->entity, vd->flags & VLIB_DOMAIN_critical, NOW());
        unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
    }
}

/*
 * After a call: who pays from now on. Behind a closed gate that can wait: what
 * it takes to get off the CPU is the last caller's.
 */
void vlib_domain_settle(struct vlib_domain *vd)
{
    if ( !vd->unsettled || !vd->open )
        return;
    vd->unsettled = false;
    vlib_domain_attach(vd, payer_of(vd));
}

/* A reservation goes: nobody may be left to it. */
void vlib_domain_settle_all(void)
{
    struct vlib_domain *vd;

    list_for_each_entry ( vd, &vlib_domains, list )
    {
        if ( !vd->unsettled )
            continue;
        vd->unsettled = false;
        vlib_domain_attach(vd, payer_of(vd));
    }
}

/* Brings the accounts up to now. */
void vlib_domain_charge(struct vlib_domain *vd)
{
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &vd->units, list )
    {
        unsigned long flags;
        spinlock_t *lock = unit_schedule_lock_irqsave(vu->unit, &flags);

        if ( vu->entity.queue )
            vlib_charge(vu->entity.queue, NOW());
        unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
    }
}

void vlib_domain_usage(struct vlib_domain *vd, struct vlib_usage *sum)
{
    struct vlib_unit *vu;

    vlib_domain_charge(vd);
    memset(sum, 0, sizeof(*sum));
    list_for_each_entry ( vu, &vd->units, list )
    {
        sum->foreground += vu->entity.usage.foreground;
        sum->background += vu->entity.usage.background;
        sum->throttled += vu->entity.usage.throttled;
        sum->deschedules += vu->entity.usage.deschedules;
    }
}

void vlib_domain_cpus(const struct vlib_domain *vd, cpumask_t *cpus)
{
    const struct vlib_unit *vu;

    list_for_each_entry ( vu, &vd->units, list )
        cpumask_set_cpu(sched_unit_master(vu->unit), cpus);
}

/* The domain is gone: its calls end, its vCPUs are nobody's. */
void vlib_domain_drop(struct vlib_domain *vd)
{
    if ( vd->active )
        vlib_call_end(vd->active, VLIB_CALL_gone);
    while ( !list_empty(&vd->queue) )
        vlib_call_end(list_entry(vd->queue.next, struct vlib_call, list),
                      VLIB_CALL_gone);
    while ( !list_empty(&vd->units) )
        vlib_domain_leave(list_entry(vd->units.next, struct vlib_unit, list));
    vlib_reservation_forget(vd);
    vlib_clock_reset(vd->domid);
    list_del(&vd->list);
    xfree(vd);
}

/* Drops the records of domains that are dead, or were in another pool then. */
void vlib_domain_sweep(void)
{
    struct vlib_domain *vd, *next;

    list_for_each_entry_safe ( vd, next, &vlib_domains, list )
    {
        struct domain *d = rcu_lock_domain_by_id(vd->domid);
        bool there = d && d == vd->domain && !d->is_dying;

        if ( d )
            rcu_unlock_domain(d);
        if ( !there )
            vlib_domain_drop(vd);
    }
}
