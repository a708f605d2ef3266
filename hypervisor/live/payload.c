/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module as a live patch of a running Xen, for domains in pools of their
 * own. This file is part of the payload only, never of an image. It replaces
 * the functions that dispatch hypercalls by those of the same Xen with the
 * hooks, and the one that finds a scheduler by its number.
 *
 * Guest time and cache classes have no hooks in a live patch: time cannot stop,
 * and a class cannot follow a call.
 */
#include "module.h"

#include <xen/elf.h>
#include <xen/err.h>
#include <xen/livepatch.h>
#include <xen/livepatch_payload.h>
#include <asm/hvm/support.h>
#include <asm/multicall.h>

extern const struct scheduler *__start_schedulers_array[];
extern const struct scheduler *__end_schedulers_array[];

/* Xen's own variable, by the name under which its symbol table has it. */
extern unsigned int xen_timer_slop asm("\"common/timer.c#timer_slop\"");

/* What pools get: the module's scheduler, with the functions below. */
static struct scheduler offered;

static unsigned int pools;  /* under this scheduler; under vlib_lock */

static void forget_pool(void)
{
    spin_lock(&vlib_lock);
    pools--;
    spin_unlock(&vlib_lock);
}

static int cf_check pool_init(struct scheduler *s)
{
    int rc = 0;

    spin_lock(&vlib_lock);
    if ( vlib_leaving )
        rc = -EBUSY;
    else
        pools++;
    spin_unlock(&vlib_lock);
    if ( rc )
        return rc;
    rc = vlib_scheduler.init(s);
    if ( rc )
        forget_pool();
    return rc;
}

static void cf_check pool_deinit(struct scheduler *s)
{
    vlib_scheduler.deinit(s);
    forget_pool();
}

/*
 * The unit may be freed next. An idle vCPU keeps a pointer to the unit that it
 * chose last, through which Xen writes when the CPU leaves the pool. The hook
 * for that is in a function that is not replaced.
 */
static void cf_check remove_unit(const struct scheduler *ops,
                                 struct sched_unit *unit)
{
    unsigned int cpu;

    vlib_scheduler.remove_unit(ops, unit);
    rcu_read_lock(&sched_res_rculock);
    for_each_online_cpu ( cpu )
    {
        struct sched_unit *idle;
        unsigned long flags;
        spinlock_t *lock = pcpu_schedule_lock_irqsave(cpu, &flags);

        idle = sched_idle_unit(cpu);
        if ( idle->next_task == unit )
            idle->next_task = idle;
        pcpu_schedule_unlock_irqrestore(lock, flags, cpu);
    }
    rcu_read_unlock(&sched_res_rculock);
}

/* Replaces scheduler_alloc(). */
struct scheduler *vlib_scheduler_alloc(unsigned int sched_id)
{
    const struct scheduler *const *s, *found = NULL;
    struct scheduler *sched;
    int rc;

    for ( s = __start_schedulers_array; s != __end_schedulers_array; s++ )
        if ( *s && (*s)->sched_id == sched_id )
            found = *s;
    if ( !found && sched_id == offered.sched_id )
        found = &offered;
    if ( !found )
        return ERR_PTR(-ENOENT);
    sched = xmalloc(struct scheduler);
    if ( !sched )
        return ERR_PTR(-ENOMEM);
    *sched = *found;
    rc = sched->init(sched);
    if ( !rc )
        return sched;
    xfree(sched);
    return ERR_PTR(rc);
}

static int cf_check enter(livepatch_payload_t *payload)
{
    offered = vlib_scheduler;
    offered.init = pool_init;
    offered.deinit = pool_deinit;
    offered.remove_unit = remove_unit;
    vlib_timer_slop = xen_timer_slop;
    vlib_clock_forbid();
    vlib_class_forbid();
    return 0;
}

/*
 * A payload that a pool uses stays. Else everything that it holds is given
 * back, and Xen then stops all CPUs outside of its code. If that fails, it
 * stays without pools and reservations until the next attempt.
 */
static int cf_check leave(livepatch_payload_t *payload)
{
    bool busy;

    spin_lock(&vlib_lock);
    busy = pools;
    vlib_leaving |= !busy;
    spin_unlock(&vlib_lock);
    if ( busy )
        return -EBUSY;
    vlib_housekeeping_end();
    for ( ; ; )
    {
        bool more = true;

        spin_lock(&vlib_lock);
        if ( !list_empty(&vlib_domains) )
            vlib_domain_drop(list_entry(vlib_domains.next, struct vlib_domain,
                                        list));
        else if ( vlib_nr_reservations )
            vlib_reservation_remove(vlib_order[0]->id);
        else
            more = false;
        spin_unlock(&vlib_lock);
        vlib_call_signal();
        if ( !more )
            return 0;
    }
}

/*
 * All CPUs stand still. A vCPU that waits for room in the ring of a monitor has
 * its stack put aside, and frames of the payload may be on it: Xen looks for
 * such vCPUs before it applies a payload, and not before it reverts one.
 */
static int cf_check revert(livepatch_payload_t *payload)
{
    return arch_livepatch_safety_check() ?: revert_payload(payload);
}

LIVEPATCH_PREAPPLY_HOOK(enter);
LIVEPATCH_PREREVERT_HOOK(leave);
LIVEPATCH_REVERT_HOOK(revert);

/* Sizes are what Xen checks: the bytes of a jump after an ENDBR64. */
#define REPLACE(function, by) {             \
    .name = #function,                      \
    .new_addr = by,                         \
    .new_size = 9,                          \
    .old_size = 9,                          \
    .version = LIVEPATCH_PAYLOAD_VERSION,   \
}

static struct livepatch_func __used_section(".livepatch.funcs") funcs[] = {
    REPLACE(pv_hypercall, pv_hypercall),
    REPLACE(pv_do_multicall_call, pv_do_multicall_call),
    REPLACE(hvm_hypercall, hvm_hypercall),
    REPLACE(hvm_do_multicall_call, hvm_do_multicall_call),
    REPLACE(scheduler_alloc, vlib_scheduler_alloc),
};
