/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lease: whoever drives the module renews it, and if it does not, all gates
 * open and all throttles lift until it does. With it, the other things that
 * time brings about: calls that are late, or whose callers are gone, holds
 * that are over, domains that are gone, CPUs that a reservation must be
 * admitted on anew.
 */
#include "module.h"

#define SWEEP SECONDS(1)
#define SOON  MILLISECS(10)

bool __read_mostly vlib_lease_lost;
static s_time_t lease_until; /* 0: none */
static uint64_t leases_lost;
static struct timer timer;
static s_time_t armed = VLIB_NEVER;
static bool ready;

static void apply_all(void)
{
    struct vlib_domain *vd;

    list_for_each_entry ( vd, &vlib_domains, list )
        vlib_gate_apply(vd);
}

static s_time_t expire_lease(s_time_t now)
{
    if ( !lease_until )
        return VLIB_NEVER;
    if ( lease_until > now )
        return lease_until;
    lease_until = 0;
    leases_lost++;
    vlib_lease_lost = true;
    vlib_throttle_lift();
    apply_all();
    return VLIB_NEVER;
}

static s_time_t expire_holds(s_time_t now)
{
    s_time_t next = VLIB_NEVER;
    struct vlib_domain *vd;

    list_for_each_entry ( vd, &vlib_domains, list )
    {
        if ( !vd->holds )
            continue;
        if ( vd->hold_until > now )
        {
            next = min(next, vd->hold_until);
            continue;
        }
        vd->holds = 0;
        vd->hold_until = 0;
        vlib_gate_apply(vd);
    }
    return next;
}

static void cf_check housekeeping(void *unused)
{
    s_time_t now = NOW(), next;

    spin_lock(&vlib_lock);
    armed = VLIB_NEVER;
    vlib_domain_sweep();
    vlib_call_sweep();
    next = min(expire_lease(now), vlib_call_expire(now));
    next = min(next, expire_holds(now));
    if ( vlib_reservation_readmit() )
    {
        /* Most of the time is for others. */
        s_time_t end = NOW();

        next = min(next, end + max((s_time_t)SOON, 4 * (end - now)));
    }
    if ( !list_empty(&vlib_domains) )
        next = min(next, now + SWEEP);
    vlib_housekeeping_by(next);
    spin_unlock(&vlib_lock);
}

void vlib_housekeeping_init(void)
{
    if ( ready )
        return;
    init_timer(&timer, housekeeping, NULL, 0);
    ready = true;
}

void vlib_housekeeping_by(s_time_t when)
{
    if ( !ready || when >= armed )
        return;
    armed = when;
    set_timer(&timer, when);
}

long vlib_lease_renew(s_time_t time)
{
    if ( time < 0 || time > VLIB_MAX_PERIOD )
        return -EINVAL;
    spin_lock(&vlib_lock);
    lease_until = time ? NOW() + time : 0;
    if ( vlib_lease_lost )
    {
        vlib_lease_lost = false;
        apply_all();
    }
    if ( lease_until )
        vlib_housekeeping_by(lease_until);
    spin_unlock(&vlib_lock);
    return 0;
}

s_time_t vlib_lease_left(void)
{
    return lease_until ? max(lease_until - NOW(), (s_time_t)0) : 0;
}

uint64_t vlib_leases_lost(void)
{
    return leases_lost;
}
