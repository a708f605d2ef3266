/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vCPUs without a reservation are balanced between CPUs, twice a second. A CPU
 * has so much time that no foreground took, and so many vCPUs that want it. A
 * vCPU moves to the CPU where its part would be the largest, if that is more
 * than it has by a sixteenth of a CPU. So each move makes the parts more equal,
 * and when no vCPU gains by a move, all stay.
 *
 * Servers are not moved for this, and neither are Dom0's vCPUs.
 */
#include "module.h"

#define ROUND   MILLISECS(500)
#define AT_ONCE 16          /* vCPUs in one critical section */
#define GAIN    16          /* the part of a CPU that is worth a move */

LIST_HEAD(vlib_units);
static unsigned int units, left;
static bool counting, deciding;
static s_time_t next, began, elapsed;

static struct load {
    uint64_t generation;    /* of the runqueue; 0: it was not there */
    uint64_t before;        /* time without foreground, when the round began */
    uint64_t free;          /* and since then */
    unsigned int busy;      /* vCPUs that want it */
} load[NR_CPUS];

void vlib_balance_join(struct vlib_unit *vu)
{
    list_add_tail(&vu->all, &vlib_units);
    units++;
    vlib_housekeeping_by(NOW() + ROUND);
}

void vlib_balance_leave(struct vlib_unit *vu)
{
    list_del_init(&vu->all);
    units--;
}

static struct vlib_unit *next_unit(void)
{
    struct vlib_unit *vu = list_entry(vlib_units.next, struct vlib_unit, all);

    left--;
    list_move_tail(&vu->all, &vlib_units);
    return vu;
}

/* Whether it wants time in background. A lock is not needed to guess. */
static bool wants(const struct vlib_unit *vu)
{
    return vu->entity.queue && !vu->gated;
}

/* Reads a CPU's time. One that was not there all the time has none free. */
static void read_cpu(unsigned int cpu, s_time_t now)
{
    struct load *l = &load[cpu];
    struct vlib_runqueue *q;
    uint64_t time = 0, generation = 0;
    spinlock_t *lock;

    rcu_read_lock(&sched_res_rculock);
    lock = pcpu_schedule_lock_irq(cpu);
    q = vlib_runqueue(cpu);
    if ( q )
    {
        vlib_charge(q, now);
        generation = q->generation;
        time = q->background_time + q->idle_time;
    }
    pcpu_schedule_unlock_irq(lock, cpu);
    rcu_read_unlock(&sched_res_rculock);
    l->free = generation == l->generation ? time - l->before : 0;
    l->before = time;
    l->generation = generation;
}

static void begin(s_time_t now)
{
    unsigned int cpu;

    next = now + ROUND;
    elapsed = now - began;
    began = now;
    for_each_online_cpu ( cpu )
        read_cpu(cpu, now);
    for ( cpu = 0; cpu < NR_CPUS; cpu++ )
        load[cpu].busy = 0;
    counting = true;
    left = units;
}

/* Whether the vCPU may be moved to balance: nothing is reserved for it. */
static bool eligible(const struct vlib_unit *vu)
{
    const struct vlib_domain *vd = vu->domain;

    return wants(vu) && !vu->unit->domain->is_privileged &&
           (!vd || (!vd->adopter && list_empty(&vd->callers)));
}

static uint64_t part(const struct load *l, unsigned int more)
{
    return l->free / max(l->busy + more, 1U);
}

static void decide(struct vlib_unit *vu)
{
    unsigned int now = vlib_unit_place(vu), cpu, best = now;
    uint64_t most = part(&load[now], 0) + elapsed / GAIN;
    cpumask_t cpus;

    vlib_unit_allowed(vu, &cpus);
    for_each_cpu ( cpu, &cpus )
        if ( cpu != now && part(&load[cpu], 1) > most )
        {
            most = part(&load[cpu], 1);
            best = cpu;
        }
    if ( best == now )
        return;
    load[now].busy -= !!load[now].busy;
    load[best].busy++;
    vlib_unit_send(vu, best);
}

/* Continues a round. Returns when there is more to do. */
s_time_t vlib_balance(s_time_t now, s_time_t soon)
{
    unsigned int n;

    if ( !counting && !deciding )
    {
        if ( now < next )
            return next;
        begin(now);
    }
    for ( n = 0; n < AT_ONCE && left && !list_empty(&vlib_units); n++ )
    {
        struct vlib_unit *vu = next_unit();

        if ( counting )
            load[vlib_unit_place(vu)].busy += wants(vu);
        else if ( eligible(vu) )
            decide(vu);
    }
    if ( left && !list_empty(&vlib_units) )
        return soon;
    left = counting ? units : 0;
    deciding = counting;
    counting = false;
    return deciding ? soon : units ? next : VLIB_NEVER;
}
