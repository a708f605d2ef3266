/* SPDX-License-Identifier: GPL-2.0-only */
/* Control of the per-CPU throttle; runqueue.c carries it out. */
#include "module.h"

static void set(unsigned int cpu, s_time_t period, s_time_t idle)
{
    unsigned long flags;
    spinlock_t *lock = pcpu_schedule_lock_irqsave(cpu, &flags);
    struct vlib_runqueue *q = vlib_runqueue(cpu);

    if ( q && (q->period != period || q->idle != idle) )
    {
        vlib_charge(q, NOW());
        q->period = period;
        q->idle = idle;
        vlib_kick(cpu);
    }
    pcpu_schedule_unlock_irqrestore(lock, flags, cpu);
}

int vlib_throttle_set(const struct vlib_throttle *op)
{
    int rc = 0;

    if ( op->idle && (op->period < VLIB_MIN_PERIOD ||
                      op->period > VLIB_MAX_PERIOD || op->idle > op->period) )
        return -EINVAL;
    if ( op->cpu >= nr_cpu_ids || !cpu_online(op->cpu) )
        return -ENODEV;
    rcu_read_lock(&sched_res_rculock);
    if ( !vlib_drives(op->cpu) )
        rc = -EXDEV;
    else
        set(op->cpu, op->idle ? op->period : 0, op->idle);
    rcu_read_unlock(&sched_res_rculock);
    return rc;
}

void vlib_throttle_lift(void)
{
    unsigned int cpu;

    rcu_read_lock(&sched_res_rculock);
    for_each_online_cpu ( cpu )
        set(cpu, 0, 0);
    rcu_read_unlock(&sched_res_rculock);
}
