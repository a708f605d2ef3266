/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries in a reservation's account: what was used, and which vCPU holds it.
 */
#include "runqueue.h"

void vlib_account_init(struct vlib_account *a, unsigned int id,
                       s_time_t budget, s_time_t period, s_time_t now)
{
    memset(a, 0, sizeof(*a));
    spin_lock_init(&a->lock);
    a->id = id;
    vlib_server_init(&a->server, budget, period, now);
}

void vlib_account_release(struct vlib_account *a, struct vlib_entity *e)
{
    unsigned int cpu;

    if ( a->holder != e )
        return;
    a->holder = NULL;
    for_each_cpu ( cpu, &a->contending )
        vlib_kick(cpu);
    cpumask_clear(&a->contending);
}

void vlib_account_use(struct vlib_account *a, struct vlib_runqueue *q,
                      s_time_t used, s_time_t now)
{
    spin_lock(&a->lock);
    if ( q->running->foreground )
    {
        s_time_t over = used - vlib_server_left(&a->server, now) -
                        a->elsewhere;

        q->overrun = max(q->overrun, over);
        q->worst = max(q->worst, over);
        a->elsewhere = 0;
        vlib_server_charge(&a->server, used);
        a->usage.foreground += used;
    }
    else
        a->usage.background += used;
    spin_unlock(&a->lock);
}

void vlib_account_charge(struct vlib_account *a, s_time_t used, s_time_t now)
{
    spin_lock(&a->lock);
    /*
     * The use ended now, and so began at the latest 'used' ago. Without this
     * date a budget that became available long ago would be used, and be
     * replenished, in the past. vlib_charge() dates use in the same way.
     */
    if ( !a->holder )
        vlib_server_wake(&a->server, now - used);
    vlib_server_charge(&a->server, used);
    a->usage.foreground += used;
    if ( a->holder )
    {
        a->elsewhere += used; /* not a part of the holder's overrun */
        vlib_kick(a->holds_on); /* its budget now ends earlier */
    }
    spin_unlock(&a->lock);
}

void vlib_account_deschedule(struct vlib_entity *e)
{
    e->usage.deschedules++;
    if ( !e->account )
        return;
    spin_lock(&e->account->lock);
    e->account->usage.deschedules++;
    spin_unlock(&e->account->lock);
}
