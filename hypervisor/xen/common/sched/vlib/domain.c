/* SPDX-License-Identifier: GPL-2.0-only */
/* The domains that the module knows, and their vCPUs. */
#include "module.h"

DEFINE_SPINLOCK(vlib_lock);
bool vlib_leaving;
LIST_HEAD(vlib_domains);
unsigned int vlib_nr_domains;

/* Limits for one critical section of vlib_lock. */
#define SWEPT_AT_ONCE   32
#define DROPPED_AT_ONCE 64  /* calls, vCPUs and reservations of one */

static unsigned int records, to_sweep; /* including domains that are gone */

/*
 * Hash table by domain number: domains that the module knows, and all vCPUs
 * under this scheduler, of any domain.
 */
static struct place {
    struct vlib_domain *domains;
    struct vlib_unit *units;
} places[256];

static struct place *place_of(const struct domain *d)
{
    return &places[d->domain_id % ARRAY_SIZE(places)];
}

/* A vCPU comes under this scheduler. */
void vlib_domain_arrive(struct vlib_unit *vu)
{
    struct place *p = place_of(vu->unit->domain);

    vu->next = p->units;
    p->units = vu;
    vlib_domain_join(vu);
}

/* A vCPU leaves this scheduler. */
void vlib_domain_depart(struct vlib_unit *vu)
{
    struct vlib_unit **at = &place_of(vu->unit->domain)->units;

    vlib_domain_leave(vu);
    while ( *at != vu )
        at = &(*at)->next;
    *at = vu->next;
}

/*
 * A record may outlive its domain by a second, until the sweep. Number and
 * structure together show that it is still the same domain.
 */
struct vlib_domain *vlib_domain_find(const struct domain *d)
{
    struct vlib_domain *vd;

    for ( vd = place_of(d)->domains; vd; vd = vd->next )
        if ( vd->domid == d->domain_id && vd->domain == d )
            return vd;
    return NULL;
}

/*
 * Returns the first record of a domain number, or the next one after another.
 * There can be two: a domain that is gone may have had the number before.
 */
struct vlib_domain *vlib_domain_named(domid_t domid,
                                      const struct vlib_domain *after)
{
    struct vlib_domain *vd = after ? after->next
                                   : places[domid % ARRAY_SIZE(places)].domains;

    while ( vd && vd->domid != domid )
        vd = vd->next;
    return vd;
}

/*
 * Finds the domain's record or makes one, which its vCPUs under this scheduler
 * join. Making one is enough work for one critical section: the answer is then
 * -ERESTART, and 0 next time.
 */
int vlib_domain_make(struct domain *d, struct vlib_domain **made)
{
    struct vlib_domain *vd = vlib_domain_find(d);
    struct vlib_unit *vu;

    *made = vd;
    if ( vd )
        return 0;
    vd = xzalloc(struct vlib_domain);
    if ( !vd )
        return -ENOMEM;
    vd->domain = d;
    vd->domid = d->domain_id;
    vd->open = true;
    INIT_LIST_HEAD(&vd->units);
    INIT_LIST_HEAD(&vd->queue);
    INIT_LIST_HEAD(&vd->callers);
    INIT_LIST_HEAD(&vd->attached);
    INIT_LIST_HEAD(&vd->busy);
    vlib_gate_insert(vd);
    vlib_clock_reset(vd->domid);
    list_add_tail(&vd->list, &vlib_domains);
    vd->next = place_of(d)->domains;
    place_of(d)->domains = vd;
    vlib_nr_domains++;
    records++;
    vlib_housekeeping_by(NOW() + SECONDS(1));
    for ( vu = place_of(d)->units; vu; vu = vu->next )
        if ( vu->unit->domain == d )
            vlib_domain_join(vu);
    return -ERESTART;
}

/* Whether the domain has vCPUs under this scheduler at the moment. */
bool vlib_domain_here(const struct domain *d)
{
    const struct vlib_unit *vu;

    for ( vu = place_of(d)->units; vu; vu = vu->next )
        if ( vu->unit->domain == d )
            return true;
    return false;
}

static struct vlib_reservation *reservation_of(const struct vlib_domain *vd)
{
    return vd->active ? vd->active->reservation : vd->adopter;
}

/* Whose cache class its vCPUs have; NULL: its own. */
static struct domain *class_of(const struct vlib_domain *vd)
{
    return vd->active && (vd->flags & VLIB_DOMAIN_follows)
           ? vd->active->caller : NULL;
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
    vd->nr_units++;
    lock = vlib_unit_lock(vu, &flags);
    vlib_attach(&vu->entity, vlib_server_of(reservation_of(vd), vu), NOW());
    vlib_class_set(vu, class_of(vd));
    vlib_spare(&vu->entity, vd->flags & VLIB_DOMAIN_critical, NOW());
    vu->gated = !vd->open;
    vlib_unit_unlock(lock, flags, vu);
    vlib_gate_apply(vd, NOW()); /* if this was the first vCPU */
}

void vlib_domain_leave(struct vlib_unit *vu)
{
    struct vlib_domain *vd = vu->domain;
    unsigned long flags;
    spinlock_t *lock;

    if ( !vd )
        return;
    lock = vlib_unit_lock(vu, &flags);
    vlib_attach(&vu->entity, NULL, NOW());
    vlib_class_set(vu, NULL);
    vlib_spare(&vu->entity, false, NOW());
    vu->gated = false;
    vlib_unit_unlock(lock, flags, vu);
    list_del_init(&vu->list);
    vd->nr_units--;
    vu->domain = NULL;
    vlib_gate_apply(vd, NOW()); /* if this was the last vCPU */
}

/*
 * Makes all vCPUs run on r, in the class that belongs to it, from now on. They
 * start if the gate has opened.
 */
void vlib_domain_attach(struct vlib_domain *vd, struct vlib_reservation *r,
                        s_time_t now)
{
    struct vlib_unit *vu;

    list_del_init(&vd->attached);
    if ( r )
        list_add_tail(&vd->attached, &r->attached);
    list_for_each_entry ( vu, &vd->units, list )
    {
        unsigned long flags;
        spinlock_t *lock = vlib_unit_lock(vu, &flags);

        vlib_attach(&vu->entity, vlib_server_of(r, vu), now);
        vlib_class_set(vu, class_of(vd));
        vu->reload = vd->active && (vu->class || vd->active->monitor);
        if ( vd->open && vu->gated )
        {
            vu->gated = false;
            if ( unit_runnable(vu->unit) )
                vlib_unit_start(vu);
        }
        vlib_unit_unlock(lock, flags, vu);
    }
}

/* Applies the critical flag to all vCPUs. */
void vlib_domain_spare(struct vlib_domain *vd)
{
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &vd->units, list )
    {
        unsigned long flags;
        spinlock_t *lock = vlib_unit_lock(vu, &flags);

        vlib_spare(&vu->entity, vd->flags & VLIB_DOMAIN_critical, NOW());
        vlib_unit_unlock(lock, flags, vu);
    }
}

/*
 * Sets the account of a domain after a call. Behind a closed gate this can
 * wait: the last caller pays for the time until the vCPUs leave their CPUs.
 */
void vlib_domain_settle(struct vlib_domain *vd, s_time_t now)
{
    if ( !vd->unsettled || !vd->open )
        return;
    vd->unsettled = false;
    vlib_domain_attach(vd, reservation_of(vd), now);
}

/*
 * The servers of a reservation change, or end: moves domains whose vCPUs are
 * still attached to it after a call. Returns whether there were any; there may
 * be more.
 */
bool vlib_domain_settle_all(struct vlib_reservation *r)
{
    struct vlib_domain *vd, *next;
    unsigned int work = 0;

    list_for_each_entry_safe ( vd, next, &r->attached, attached )
    {
        if ( work >= VLIB_UNITS_AT_ONCE )
            break;
        if ( reservation_of(vd) == r )
            continue;
        work += vlib_domain_work(vd);
        vd->unsettled = false;
        vlib_domain_attach(vd, reservation_of(vd), NOW());
    }
    return work;
}

/* Brings the accounts up to date. */
void vlib_domain_charge(struct vlib_domain *vd, s_time_t now)
{
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &vd->units, list )
    {
        unsigned long flags;
        spinlock_t *lock = vlib_unit_lock(vu, &flags);

        if ( vu->entity.queue )
            vlib_charge(vu->entity.queue, now);
        vlib_unit_unlock(lock, flags, vu);
    }
}

/*
 * Adds up the use of a domain's vCPUs under this scheduler, and how long they
 * waited for a CPU. Returns how many there are.
 */
unsigned int vlib_domain_usage(const struct domain *d, struct vlib_usage *sum,
                               uint64_t *waited)
{
    struct vlib_unit *vu;
    unsigned int n = 0;

    memset(sum, 0, sizeof(*sum));
    *waited = 0;
    for ( vu = place_of(d)->units; vu; vu = vu->next )
    {
        s_time_t queued;
        unsigned long flags;
        spinlock_t *lock;

        if ( vu->unit->domain != d )
            continue;
        n++;
        lock = vlib_unit_lock(vu, &flags);
        queued = vu->entity.queued;
        if ( vu->entity.queue )
        {
            s_time_t now = NOW();

            vlib_charge(vu->entity.queue, now);
            queued += now;
        }
        queued -= vu->entity.usage.foreground + vu->entity.usage.background;
        *waited += max(queued, (s_time_t)0);
        vlib_usage_add(sum, &vu->entity.usage);
        vlib_unit_unlock(lock, flags, vu);
    }
    return n;
}

/* Removes the record from the table: its number is another domain's now. */
static void lose(struct vlib_domain *vd)
{
    struct vlib_domain **at =
        &places[vd->domid % ARRAY_SIZE(places)].domains;

    while ( *at != vd )
        at = &(*at)->next;
    *at = vd->next;
    vd->gone = true;
    vlib_gate_remove(vd);
    vlib_trial_forget(NULL, vd);
    vlib_nr_domains--;
    vlib_clock_reset(vd->domid);
}

/* Removes one item of the domain; returns whether there was one. */
static bool drop_one(struct vlib_domain *vd)
{
    if ( vd->active )
        vlib_call_end(vd->active, VLIB_CALL_gone, NOW());
    else if ( !list_empty(&vd->queue) )
        vlib_call_end(list_entry(vd->queue.next, struct vlib_call, list),
                      VLIB_CALL_gone, NOW());
    else if ( !list_empty(&vd->units) )
        vlib_domain_leave(list_entry(vd->units.next, struct vlib_unit, list));
    else
        return vlib_reservation_forget_one(vd);
    return true;
}

/*
 * The domain is gone: its calls end, and its vCPUs leave their reservations.
 * The sweep does the rest, in critical sections of its own.
 */
bool vlib_domain_drop(struct vlib_domain *vd)
{
    unsigned int n;

    if ( !vd->gone )
        lose(vd);
    for ( n = 0; n < DROPPED_AT_ONCE; n++ )
    {
        if ( drop_one(vd) )
            continue;
        list_del(&vd->list);
        list_del(&vd->attached);
        list_del(&vd->busy);
        records--;
        xfree(vd);
        return true;
    }
    return false;
}

static bool is_there(const struct vlib_domain *vd)
{
    struct domain *d = vd->gone ? NULL : rcu_lock_domain_by_id(vd->domid);
    bool there = d && d == vd->domain && !d->is_dying;

    if ( d )
        rcu_unlock_domain(d);
    return there;
}

/*
 * Begins to examine all records, for domains that are dead, or that were in
 * another pool when they died.
 */
void vlib_domain_sweep_all(void)
{
    to_sweep = records;
}

/* Continues the sweep; returns whether there is more to do. */
bool vlib_domain_sweep(void)
{
    unsigned int n;

    for ( n = 0; n < SWEPT_AT_ONCE && to_sweep; n++ )
    {
        struct vlib_domain *vd;

        if ( list_empty(&vlib_domains) )
        {
            to_sweep = 0;
            break;
        }
        vd = list_entry(vlib_domains.next, struct vlib_domain, list);
        if ( is_there(vd) )
        {
            list_move_tail(&vd->list, &vlib_domains);
            if ( vlib_call_check(vd) )
                n += vd->nr_units;
        }
        else if ( !vlib_domain_drop(vd) )
            return true;
        else
            n = SWEPT_AT_ONCE;
        to_sweep--;
    }
    return to_sweep;
}
