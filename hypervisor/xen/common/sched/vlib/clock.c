/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest time that stops while the gate is closed. A guest's system time is
 * Xen's less the time for which the guest was stopped. It is published again
 * whenever one of its vCPUs is put on a CPU, before the guest can read it.
 *
 * Guests give absolute times, for their timers, in guest time. They are
 * converted where Xen takes them.
 */
#include "module.h"

/* By domain number: it must outlive the domain's stay in another pool. */
static s_time_t *stopped_time;
static bool __read_mostly forbidden;

int vlib_clock_init(void)
{
    s_time_t *table;

    if ( stopped_time )
        return 0;
    if ( forbidden )
        return -EOPNOTSUPP;
    table = xzalloc_array(s_time_t, DOMID_FIRST_RESERVED);
    if ( !table )
        return -ENOMEM;
    smp_wmb();
    stopped_time = table;
    return 0;
}

/* A Xen without the hooks cannot stop the time of its guests. */
void vlib_clock_forbid(void)
{
    forbidden = true;
}

void vlib_clock_stop(domid_t domid, s_time_t time)
{
    write_atomic(&stopped_time[domid], stopped_time[domid] + time);
}

void vlib_clock_reset(domid_t domid)
{
    if ( stopped_time )
        write_atomic(&stopped_time[domid], 0);
}

s_time_t vlib_clock_stopped(domid_t domid)
{
    return stopped_time && domid < DOMID_FIRST_RESERVED
           ? read_atomic(&stopped_time[domid]) : 0;
}

void vlib_publish_time(const struct vcpu *v, uint64_t *system_time)
{
    *system_time -= vlib_clock_stopped(v->domain->domain_id);
}

/* A guest may give a time that has wrapped; Xen decides what that means. */
s_time_t vlib_host_time(const struct vcpu *v, s_time_t guest)
{
    s_time_t stopped = vlib_clock_stopped(v->domain->domain_id);

    if ( guest <= 0 )
        return guest;
    return guest > STIME_MAX - stopped ? STIME_MAX : guest + stopped;
}
