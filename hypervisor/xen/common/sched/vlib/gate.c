/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The gate: closed, it keeps every vCPU of a domain off every CPU. Closing is
 * not waited for: a vCPU that runs elsewhere is interrupted and leaves at once.
 */
#include "module.h"

static bool wanted(const struct vlib_domain *vd)
{
    if ( vlib_lease_lost || vd->holds )
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
    spinlock_t *lock = unit_schedule_lock_irqsave(vu->unit, &flags);

    vu->gated = true;
    vlib_unit_stop(vu);
    unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
}

static void open(struct vlib_unit *vu)
{
    unsigned long flags;
    spinlock_t *lock = unit_schedule_lock_irqsave(vu->unit, &flags);

    vu->gated = false;
    if ( unit_runnable(vu->unit) )
        vlib_unit_start(vu);
    unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
}

/*
 * How long nothing of the domain ran: from when the last of its vCPUs was off,
 * not from when the gate was told to close, or its clock would go back.
 */
static s_time_t stopped(struct vlib_domain *vd, s_time_t now)
{
    s_time_t from = vd->closed_at;
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &vd->units, list )
    {
        unsigned long flags;
        spinlock_t *lock = unit_schedule_lock_irqsave(vu->unit, &flags);

        from = max(from, vu->off_since);
        if ( curr_on_cpu(sched_unit_master(vu->unit)) == vu->unit )
            from = now;
        unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
    }
    return max(now - from, (s_time_t)0);
}

void vlib_gate_apply(struct vlib_domain *vd)
{
    bool is_open = wanted(vd);
    struct vlib_unit *vu;
    s_time_t now;

    if ( is_open == vd->open )
        return;
    now = NOW();
    vd->open = is_open;
    if ( !is_open )
        vd->closed_at = now;
    else if ( vd->flags & VLIB_DOMAIN_stop_time )
        vlib_clock_stop(vd->domid, stopped(vd, now));
    vlib_domain_settle(vd);
    list_for_each_entry ( vu, &vd->units, list )
        if ( is_open )
            open(vu);
        else
            close(vu);
}
