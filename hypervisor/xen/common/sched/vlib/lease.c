/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lease: the program that drives the module renews it. When it expires,
 * all gates open and all throttles are lifted until it is renewed.
 *
 * The timer does the rest that depends on time: it ends calls that are late or
 * whose callers are gone, expired holds and dead domains, and admits
 * reservations to the CPUs to which their vCPUs have moved.
 */
#include "module.h"

#define ROUND SECONDS(1)
#define SOON  MICROSECS(500) /* most of the time is left to others */

bool __read_mostly vlib_lease_lost;
static s_time_t lease_until; /* 0: none */
static uint64_t leases_lost;
static struct timer timer;
static s_time_t armed = VLIB_NEVER;
static bool ready;

/* Returns whether the lease has expired just now. */
static bool expire_lease(s_time_t now)
{
    if ( !lease_until || lease_until > now )
        return false;
    lease_until = 0;
    leases_lost++;
    vlib_lease_lost = true;
    vlib_throttle_lift();
    return true;
}

/* A sweep and a review each second, in steps that follow each other soon. */
static s_time_t rounds(s_time_t now)
{
    static s_time_t next_round;

    if ( now >= next_round )
    {
        next_round = now + ROUND;
        vlib_domain_sweep_all();
        vlib_review_all();
    }
    if ( vlib_domain_sweep() || vlib_review() )
        return now + SOON;
    return vlib_nr_domains ? next_round : VLIB_NEVER;
}

static void cf_check housekeeping(void *unused)
{
    s_time_t now = NOW();
    bool lost;

    spin_lock(&vlib_lock);
    armed = VLIB_NEVER;
    lost = expire_lease(now);
    if ( lease_until )
        vlib_housekeeping_by(lease_until);
    vlib_housekeeping_by(vlib_hold_expire(now));
    spin_unlock(&vlib_lock);
    if ( lost )
        vlib_gate_apply_all();
    spin_lock(&vlib_lock);
    vlib_housekeeping_by(vlib_call_expire(now));
    spin_unlock(&vlib_lock);
    spin_lock(&vlib_lock);
    vlib_housekeeping_by(rounds(now));
    spin_unlock(&vlib_lock);
    spin_lock(&vlib_lock);
    vlib_housekeeping_by(vlib_balance(now, now + SOON));
    spin_unlock(&vlib_lock);
    vlib_moves();
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

/* No housekeeping from now on: the live patch is to be unloaded. */
void vlib_housekeeping_end(void)
{
    if ( ready )
        kill_timer(&timer);
}

long vlib_lease_renew(s_time_t time)
{
    bool was_lost;

    if ( time < 0 || time > VLIB_MAX_PERIOD )
        return -EINVAL;
    spin_lock(&vlib_lock);
    lease_until = time ? NOW() + time : 0;
    was_lost = vlib_lease_lost;
    vlib_lease_lost = false;
    if ( lease_until )
        vlib_housekeeping_by(lease_until);
    spin_unlock(&vlib_lock);
    if ( was_lost )
        vlib_gate_apply_all();
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
