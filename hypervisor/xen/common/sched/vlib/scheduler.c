/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler's interface to Xen. Decisions are made in runqueue.c; this
 * file moves vCPUs on and off the runqueues. A vCPU stays on the CPU on which
 * it was placed: scheduling is partitioned, as the analysis assumes.
 */
#include <xen/softirq.h>

#include "module.h"

/* The number of null, which no distribution builds: stock tools accept it. */
#define SCHEDULER_ID XEN_SCHEDULER_NULL

/*
 * A timer is not worth setting for less than MIN_TIMER. A vCPU runs for
 * at most MAX_TIMER before the scheduler decides again: that bounds the effect
 * of a lost kick, and emulators that count instructions need it to let the
 * other CPUs run.
 */
#define MIN_TIMER 10000LL
#define MAX_TIMER 2000000LL

/* A domain's data in a pool, while it is there. */
struct stay {
    struct domain *domain;
    struct vlib_group groups[]; /* by CPU */
};

/*
 * How many vCPUs live on each CPU, runnable or not. It is not in the runqueue,
 * which may be read under its lock only, as its CPU may leave the pool, while
 * placing a vCPU compares all CPUs.
 */
static atomic_t residents[NR_CPUS];

bool vlib_is_ours(const struct scheduler *s)
{
    return s && s->do_schedule == vlib_scheduler.do_schedule;
}

bool vlib_drives(unsigned int cpu)
{
    const struct sched_resource *sr = get_sched_res(cpu);

    return sr && vlib_is_ours(sr->scheduler);
}

struct vlib_runqueue *vlib_runqueue(unsigned int cpu)
{
    return vlib_drives(cpu) ? get_sched_res(cpu)->sched_priv : NULL;
}

static struct vlib_unit *vlib_unit(const struct sched_unit *unit)
{
    return unit->priv;
}

static struct vlib_runqueue *unit_queue(const struct sched_unit *unit)
{
    return unit->res->sched_priv;
}

/* The vCPU that waited there may be elsewhere by now, and the CPU offline. */
void vlib_kick(unsigned int cpu)
{
    if ( cpu_online(cpu) )
        cpu_raise_softirq(cpu, SCHEDULE_SOFTIRQ);
}

/* Under the CPU's lock. A decision planned earlier stays: it does no harm. */
void vlib_replan(unsigned int cpu, s_time_t until)
{
    struct timer *timer = &get_sched_res(cpu)->s_timer;
    s_time_t now;

    if ( timer_expires_before(timer, until) )
        return;
    now = NOW();
    until = min(until, (s_time_t)(now + MAX_TIMER));
    set_timer(timer, max(until, (s_time_t)(now + MIN_TIMER)));
}

static void take_residence(struct vlib_unit *vu, unsigned int cpu)
{
    vu->residence = cpu;
    atomic_inc(&residents[cpu]);
}

static void give_residence_up(const struct vlib_unit *vu)
{
    atomic_dec(&residents[vu->residence]);
}

static int cf_check vlib_init(struct scheduler *ops)
{
    vlib_housekeeping_init();
    return 0;
}

static void cf_check vlib_deinit(struct scheduler *ops)
{
}

static void *cf_check vlib_alloc_pdata(const struct scheduler *ops, int cpu)
{
    struct vlib_runqueue *q = xzalloc(struct vlib_runqueue);

    return q ?: ERR_PTR(-ENOMEM);
}

static void cf_check vlib_free_pdata(const struct scheduler *ops, void *pdata,
                                     int cpu)
{
    vlib_classes[cpu] = NULL;
    xfree(pdata);
}

static void *cf_check vlib_alloc_udata(const struct scheduler *ops,
                                       struct sched_unit *unit, void *dd)
{
    struct vlib_unit *vu = xzalloc(struct vlib_unit);
    struct stay *stay = dd; /* an idle domain has none: it is never queued */

    if ( !vu )
        return NULL;
    vlib_entity_init(&vu->entity, stay ? stay->groups : NULL,
                     unit->domain->is_privileged);
    vu->unit = unit;
    vu->number = unit->unit_id;
    INIT_LIST_HEAD(&vu->list);
    INIT_LIST_HEAD(&vu->move);
    INIT_LIST_HEAD(&vu->all);
    return vu;
}

static void cf_check vlib_free_udata(const struct scheduler *ops, void *priv)
{
    xfree(priv);
}

static void *cf_check vlib_alloc_domdata(const struct scheduler *ops,
                                         struct domain *d)
{
    struct stay *stay = xzalloc_flex_struct(struct stay, groups, nr_cpu_ids);

    if ( !stay )
        return ERR_PTR(-ENOMEM);
    stay->domain = d;
    return stay;
}

/* The end of the domain, or of its stay in this pool. */
static void cf_check vlib_free_domdata(const struct scheduler *ops, void *data)
{
    struct stay *stay = data;
    struct vlib_domain *vd;

    if ( stay && stay->domain->is_dying )
    {
        spin_lock(&vlib_lock);
        vd = vlib_domain_find(stay->domain);
        if ( vd && !vlib_domain_drop(vd) )
        {
            vlib_domain_sweep_all();
            vlib_housekeeping_by(NOW());
        }
        spin_unlock(&vlib_lock);
    }
    xfree(stay);
}

static spinlock_t *cf_check vlib_switch_sched(struct scheduler *ops,
                                              unsigned int cpu, void *pdata,
                                              void *vdata)
{
    struct vlib_unit *idle = vdata;

    ASSERT(idle && is_idle_unit(idle->unit));
    sched_idle_unit(cpu)->priv = vdata;
    vlib_runqueue_init(pdata, cpu, NOW());
    return &get_sched_res(cpu)->_lock;
}

/*
 * The CPU with the fewest vCPUs among those allowed, the preferred ones first.
 * The unit's present CPU is good enough if it is allowed.
 */
static struct sched_resource *place(const struct sched_unit *unit, bool stay)
{
    unsigned int cpu = sched_unit_master(unit), other, best = nr_cpu_ids, step;
    cpumask_t *mask = cpumask_scratch_cpu(cpu);
    const cpumask_t *pool = cpupool_domain_master_cpumask(unit->domain);

    for_each_affinity_balance_step ( step )
    {
        if ( step == BALANCE_SOFT_AFFINITY && !has_soft_affinity(unit) )
            continue;
        affinity_balance_cpumask(unit, step, mask);
        cpumask_and(mask, mask, pool);
        if ( stay && cpumask_test_cpu(cpu, mask) )
            return get_sched_res(cpu);
        for_each_cpu ( other, mask )
            if ( vlib_drives(other) &&
                 (best == nr_cpu_ids || atomic_read(&residents[other]) <
                                        atomic_read(&residents[best])) )
                best = other;
        if ( best != nr_cpu_ids )
            return get_sched_res(best);
    }
    /* A unit must always have a CPU, even while it does not run. */
    cpumask_and(mask, unit->cpu_hard_affinity, pool);
    return get_sched_res(cpumask_any(mask));
}

/* The CPU to which the module moves the unit, if that is allowed; or NULL. */
static struct sched_resource *destination(const struct sched_unit *unit)
{
    unsigned int cpu = vlib_unit_place(vlib_unit(unit));

    return cpu != sched_unit_master(unit) && vlib_drives(cpu) &&
           cpumask_test_cpu(cpu, unit->cpu_hard_affinity) &&
           cpumask_test_cpu(cpu, cpupool_domain_master_cpumask(unit->domain))
           ? get_sched_res(cpu) : NULL;
}

static struct sched_resource *pick(const struct sched_unit *unit, bool stay)
{
    struct sched_resource *sr;

    rcu_read_lock(&sched_res_rculock);
    sr = stay ? destination(unit) : NULL;
    if ( !sr )
        sr = place(unit, stay);
    rcu_read_unlock(&sched_res_rculock);
    return sr;
}

static struct sched_resource *cf_check vlib_pick_resource(
    const struct scheduler *ops, const struct sched_unit *unit)
{
    return pick(unit, true);
}

static void cf_check vlib_insert_unit(const struct scheduler *ops,
                                      struct sched_unit *unit)
{
    struct vlib_unit *vu = vlib_unit(unit);
    spinlock_t *lock;

    spin_lock(&vlib_lock);
    lock = unit_schedule_lock_irq(unit);
    sched_set_res(unit, pick(unit, false));
    spin_unlock(lock);
    lock = unit_schedule_lock(unit);
    take_residence(vu, sched_unit_master(unit));
    vu->place = vu->residence;
    vu->off_since = NOW();
    spin_unlock_irq(lock);
    vlib_domain_arrive(vu);
    vlib_balance_join(vu);
    spin_unlock(&vlib_lock);
}

static void cf_check vlib_remove_unit(const struct scheduler *ops,
                                      struct sched_unit *unit)
{
    struct vlib_unit *vu = vlib_unit(unit);
    spinlock_t *lock;

    spin_lock(&vlib_lock);
    vlib_domain_depart(vu);
    vlib_balance_leave(vu);
    list_del_init(&vu->move);
    lock = unit_schedule_lock_irq(unit);
    if ( vu->entity.queue )
        vlib_dequeue(vu->entity.queue, &vu->entity, NOW());
    give_residence_up(vu);
    unit_schedule_unlock_irq(lock, unit);
    spin_unlock(&vlib_lock);
}

/* It may not run: off the queue, or off its CPU at once, and charged then. */
void vlib_unit_stop(struct vlib_unit *vu)
{
    unsigned int cpu = sched_unit_master(vu->unit);

    if ( curr_on_cpu(cpu) == vu->unit )
        vlib_kick(cpu);
    else if ( vu->entity.queue )
        vlib_dequeue(vu->entity.queue, &vu->entity, NOW());
}

/* It is runnable: on the queue, and on the CPU if it goes before what runs. */
void vlib_unit_start(struct vlib_unit *vu)
{
    struct vlib_runqueue *q = unit_queue(vu->unit);

    if ( vu->gated || vu->entity.queue )
        return;
    vlib_enqueue(q, &vu->entity, NOW());
    if ( !vlib_preempts(q, &vu->entity) )
        return;
    if ( q->cpu != smp_processor_id() )
        q->remote++;
    vlib_kick(q->cpu);
}

static void cf_check vlib_sleep(const struct scheduler *ops,
                                struct sched_unit *unit)
{
    vlib_unit_stop(vlib_unit(unit));
}

static void cf_check vlib_wake(const struct scheduler *ops,
                               struct sched_unit *unit)
{
    vlib_unit_start(vlib_unit(unit));
}

static void cf_check vlib_yield(const struct scheduler *ops,
                                struct sched_unit *unit)
{
    vlib_yielded(unit_queue(unit), &vlib_unit(unit)->entity);
}

static void cf_check vlib_migrate(const struct scheduler *ops,
                                  struct sched_unit *unit, unsigned int cpu)
{
    struct vlib_unit *vu = vlib_unit(unit);
    bool queued = vu->entity.queue;
    s_time_t now = NOW();

    write_atomic(&vu->place, cpu);
    if ( sched_unit_master(unit) == cpu )
        return;
    if ( queued )
        vlib_dequeue(vu->entity.queue, &vu->entity, now);
    give_residence_up(vu);
    sched_set_res(unit, get_sched_res(cpu));
    take_residence(vu, cpu);
    if ( queued )
    {
        vlib_enqueue(unit_queue(unit), &vu->entity, now);
        vlib_kick(cpu);
    }
}

static struct sched_unit *choose(struct vlib_runqueue *q, s_time_t now,
                                 s_time_t *until)
{
    struct vlib_entity *e;

    while ( (e = vlib_decide(q, now, until)) )
    {
        struct sched_unit *unit =
            container_of(e, struct vlib_unit, entity)->unit;

        if ( unit_runnable_state(unit) )
            return unit;
        vlib_dequeue(q, e, now);
    }
    return sched_idle_unit(q->cpu);
}

static void cf_check vlib_schedule(const struct scheduler *ops,
                                   struct sched_unit *prev, s_time_t now,
                                   bool tasklet_work_scheduled)
{
    unsigned int cpu = sched_get_resource_cpu(smp_processor_id());
    struct vlib_runqueue *q = get_sched_res(cpu)->sched_priv;
    struct vlib_unit *vu = vlib_unit(prev);
    struct sched_unit *next;
    s_time_t until;

    if ( !is_idle_unit(prev) )
    {
        if ( q->running == &vu->entity && (vu->gated || !unit_runnable(prev)) )
            vlib_dequeue(q, &vu->entity, now);
        vu->off_since = now;
    }
    if ( tasklet_work_scheduled )
    {
        vlib_idle(q, now);
        next = sched_idle_unit(cpu);
        until = VLIB_NEVER;
    }
    else
        next = choose(q, now, &until);
    prev->next_task = next;
    if ( !is_idle_unit(next) )
    {
        until = min(until, (s_time_t)(now + MAX_TIMER));
        if ( unlikely(vlib_unit(next)->reload ||
                      vlib_classes[cpu] != vlib_unit(next)->class) )
            vlib_class_load(cpu, vlib_unit(next));
    }
    prev->next_time = until == VLIB_NEVER
                      ? -1 : max(until - now, (s_time_t)MIN_TIMER);
    next->migrated = false;
}

static void cf_check vlib_dump_pcpu(const struct scheduler *ops, int cpu)
{
    const struct vlib_runqueue *q;
    unsigned long flags;
    spinlock_t *lock;

    rcu_read_lock(&sched_res_rculock);
    lock = pcpu_schedule_lock_irqsave(cpu, &flags);
    q = vlib_runqueue(cpu);
    if ( q )
        printk("CPU[%02d] %d vCPUs, foreground %"PRIu64" background %"PRIu64
               " idle %"PRIu64" ns, throttle %"PRI_stime"/%"PRI_stime" ns%s\n",
               cpu, atomic_read(&residents[cpu]), q->foreground_time,
               q->background_time, q->idle_time, q->idle, q->period,
               q->denying ? ", denying" : "");
    pcpu_schedule_unlock_irqrestore(lock, flags, cpu);
    rcu_read_unlock(&sched_res_rculock);
}

const struct scheduler vlib_scheduler = {
    .name           = "vLibOS Scheduler",
    .opt_name       = "vlib",
    .sched_id       = SCHEDULER_ID,

    .init           = vlib_init,
    .deinit         = vlib_deinit,
    .alloc_pdata    = vlib_alloc_pdata,
    .free_pdata     = vlib_free_pdata,
    .switch_sched   = vlib_switch_sched,
    .alloc_udata    = vlib_alloc_udata,
    .free_udata     = vlib_free_udata,
    .alloc_domdata  = vlib_alloc_domdata,
    .free_domdata   = vlib_free_domdata,

    .insert_unit    = vlib_insert_unit,
    .remove_unit    = vlib_remove_unit,
    .sleep          = vlib_sleep,
    .wake           = vlib_wake,
    .yield          = vlib_yield,
    .pick_resource  = vlib_pick_resource,
    .migrate        = vlib_migrate,
    .do_schedule    = vlib_schedule,

    .dump_cpu_state = vlib_dump_pcpu,
};

REGISTER_SCHEDULER(vlib_scheduler);
