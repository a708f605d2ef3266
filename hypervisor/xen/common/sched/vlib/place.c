/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where vCPUs are, and their moves to other CPUs. A vCPU that the module moves
 * counts as being where it is bound for. Xen carries the move out as it does
 * after a change of affinity: at once, or when the vCPU is off its CPU.
 */
#include "module.h"

#define MOVED_AT_ONCE 16

static LIST_HEAD(moves);
static uint64_t nr_moves;

/* Under vlib_lock, which keeps the domain's pool. */
void vlib_unit_allowed(const struct vlib_unit *vu, cpumask_t *cpus)
{
    const struct sched_unit *unit = vu->unit;
    const cpumask_t *pool = cpupool_domain_master_cpumask(unit->domain);
    unsigned int step;

    for_each_affinity_balance_step ( step )
    {
        if ( step == BALANCE_SOFT_AFFINITY && !has_soft_affinity(unit) )
            continue;
        affinity_balance_cpumask(unit, step, cpus);
        cpumask_and(cpus, cpus, pool);
        if ( !cpumask_empty(cpus) )
            return;
    }
}

/*
 * A domain whose vCPUs the module may move for r: no other reservation is
 * admitted where they are. Dom0's stay: they are its CPUs.
 */
bool vlib_domain_movable(const struct vlib_domain *vd,
                         const struct vlib_reservation *r)
{
    const struct vlib_callee *c;

    if ( vd->domain->is_privileged || (vd->adopter && vd->adopter != r) )
        return false;
    list_for_each_entry ( c, &vd->callers, callers )
        if ( c->reservation != r )
            return false;
    return true;
}

/* The vCPU is to move. */
void vlib_unit_send(struct vlib_unit *vu, unsigned int cpu)
{
    write_atomic(&vu->place, cpu);
    if ( list_empty(&vu->move) )
        list_add_tail(&vu->move, &moves);
}

/* Begins the moves. Without vlib_lock, after some may have been ordered. */
void vlib_moves(void)
{
    unsigned int n = 0;

    if ( likely(list_empty(&moves)) )
        return;
    spin_lock(&vlib_lock);
    while ( !list_empty(&moves) )
    {
        struct vlib_unit *vu = list_entry(moves.next, struct vlib_unit, move);

        list_del_init(&vu->move);
        if ( vcpu_set_hard_affinity(vu->unit->vcpu_list,
                                    vu->unit->cpu_hard_affinity) )
            write_atomic(&vu->place, vu->residence); /* it may not move now */
        else
            nr_moves++;
        if ( ++n % MOVED_AT_ONCE )
            continue;
        spin_unlock(&vlib_lock);
        spin_lock(&vlib_lock);
    }
    spin_unlock(&vlib_lock);
}

uint64_t vlib_nr_moves(void)
{
    return nr_moves;
}
