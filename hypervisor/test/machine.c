/* SPDX-License-Identifier: GPL-2.0-only */
#include "check.h"
#include "machine.h"

struct machine machine;
unsigned int machine_patience = 100000;
static struct scheduler elsewhere;  /* of other pools */

long do_vlib_op(unsigned long cmd, unsigned long a1, unsigned long a2,
                XEN_GUEST_HANDLE_PARAM(void) arg, unsigned long a4);

static void *must(void *p)
{
    CHECK(p && !IS_ERR(p), "out of memory");
    return p;
}

void machine_add_cpu(unsigned int cpu)
{
    struct sched_resource *sr = machine.cpu[cpu];
    void *pdata = must(fake_scheduler.alloc_pdata(&fake_scheduler, cpu));

    rcu_read_lock(&sched_res_rculock);
    sr->sched_unit_idle->priv =
        must(fake_scheduler.alloc_udata(&fake_scheduler, sr->sched_unit_idle,
                                        NULL));
    sr->schedule_lock =
        fake_scheduler.switch_sched(&fake_scheduler, cpu, pdata,
                                    sr->sched_unit_idle->priv);
    sr->scheduler = &fake_scheduler;
    sr->sched_priv = pdata;
    rcu_read_unlock(&sched_res_rculock);
    cpumask_set_cpu(cpu, &machine.pool);
}

static void migrate(struct sched_unit *u)
{
    struct sched_resource *to;
    spinlock_t *lock;

    rcu_read_lock(&sched_res_rculock);
    lock = unit_schedule_lock(u);
    to = fake_scheduler.pick_resource(&fake_scheduler, u);
    if ( to->schedule_lock != lock )
        spin_lock(to->schedule_lock);
    fake_scheduler.migrate(&fake_scheduler, u, to->master_cpu);
    if ( to->schedule_lock != lock )
        spin_unlock(to->schedule_lock);
    spin_unlock(lock);
    rcu_read_unlock(&sched_res_rculock);
}

void machine_sleep(struct sched_unit *u)
{
    u->runnable = false;
    machine_schedule(u->res->master_cpu);
}

void machine_wake(struct sched_unit *u)
{
    rcu_read_lock(&sched_res_rculock);
    spin_lock(u->res->schedule_lock);
    u->runnable = true;
    fake_scheduler.wake(&fake_scheduler, u);
    spin_unlock(u->res->schedule_lock);
    rcu_read_unlock(&sched_res_rculock);
}

/* To the CPU that the scheduler picks. If it runs, it is taken off first. */
static void move(struct sched_unit *u)
{
    bool runnable = u->runnable;

    machine_sleep(u);
    u->runnable = runnable;
    migrate(u);
    if ( runnable )
        machine_wake(u);
}

int vcpu_set_hard_affinity(struct vcpu *v, const cpumask_t *affinity)
{
    CHECK(affinity == v->sched_unit->cpu_hard_affinity, "another affinity");
    move(v->sched_unit);
    machine.moves++;
    return 0;
}

void machine_remove_cpu(unsigned int cpu)
{
    struct sched_resource *sr = machine.cpu[cpu];
    unsigned int d, i;

    cpumask_clear_cpu(cpu, &machine.pool);
    for ( d = 0; d < MAX_DOMAINS; d++ )
        for ( i = 0; machine.domain[d] && i < machine.domain[d]->units; i++ )
        {
            struct sched_unit *u = machine.domain[d]->unit[i];

            if ( u->res == sr )
                move(u);
        }
    fake_scheduler.free_udata(&fake_scheduler, sr->sched_unit_idle->priv);
    fake_scheduler.free_pdata(&fake_scheduler, sr->sched_priv, cpu);
    sr->sched_unit_idle->priv = sr->sched_priv = NULL;
    sr->scheduler = &elsewhere;
}

void machine_init(unsigned int cpus)
{
    unsigned int i;

    CHECK(!machine.domain[0], "a machine is made once in a process");
    fake_scheduler.init(&fake_scheduler);
    fake_now = SECONDS(1);
    for ( i = 0; i < cpus; i++ )
    {
        struct sched_resource *sr = must(xzalloc(struct sched_resource));

        sr->master_cpu = i;
        sr->_lock.kind = &fake_scheduler_lock;
        sr->schedule_lock = &sr->_lock;
        sr->scheduler = &elsewhere;
        sr->curr = sr->sched_unit_idle = must(xzalloc(struct sched_unit));
        sr->curr->idle = true;
        sr->curr->domain = must(xzalloc(struct domain));
        machine.cpu[i] = sr;
        cpumask_set_cpu(i, &fake_online);
        machine_add_cpu(i);
    }
    hardware_domain = machine_domain(0, 1, 0, 1);
}

static void insert(struct domain *d, unsigned int i, unsigned int cpu)
{
    struct sched_unit *u = d->unit[i];

    u->res = machine.cpu[cpu];
    cpumask_clear(&u->affinity);
    cpumask_set_cpu(cpu, &u->affinity);
    u->priv = must(fake_scheduler.alloc_udata(&fake_scheduler, u,
                                              d->sched_priv));
    rcu_read_lock(&sched_res_rculock);
    fake_scheduler.insert_unit(&fake_scheduler, u);
    rcu_read_unlock(&sched_res_rculock);
    machine_wake(u);
}

struct domain *machine_domain(domid_t domid, unsigned int vcpus,
                              unsigned int first, unsigned int cpus)
{
    struct domain *d = must(xzalloc(struct domain));
    unsigned int i;

    d->domain_id = domid;
    d->is_privileged = !domid;
    d->event_lock.kind = &fake_event_lock;
    machine.domain[domid] = d;
    d->sched_priv = must(fake_scheduler.alloc_domdata(&fake_scheduler, d));
    d->units = vcpus;
    for ( i = 0; i < vcpus; i++ )
    {
        d->unit[i] = must(xzalloc(struct sched_unit));
        d->unit[i]->domain = d;
        d->unit[i]->unit_id = i;
        d->unit[i]->cpu_hard_affinity = &d->unit[i]->affinity;
        d->unit[i]->vcpu = (struct vcpu){ d, d->unit[i], false };
        d->unit[i]->vcpu_list = &d->unit[i]->vcpu;
        insert(d, i, first + i % cpus);
    }
    return d;
}

void machine_move_away(struct domain *d)
{
    unsigned int i;

    for ( i = 0; i < d->units; i++ )
    {
        struct sched_unit *u = d->unit[i];

        u->runnable = false;
        machine_schedule(u->res->master_cpu);
        rcu_read_lock(&sched_res_rculock);
        fake_scheduler.remove_unit(&fake_scheduler, u);
        rcu_read_unlock(&sched_res_rculock);
        fake_scheduler.free_udata(&fake_scheduler, u->priv);
        u->priv = NULL;
    }
    fake_scheduler.free_domdata(&fake_scheduler, d->sched_priv);
    d->sched_priv = NULL;
}

void machine_move_back(struct domain *d, unsigned int cpu)
{
    unsigned int i;

    d->sched_priv = must(fake_scheduler.alloc_domdata(&fake_scheduler, d));
    for ( i = 0; i < d->units; i++ )
        insert(d, i, cpu);
}

void machine_destroy(struct domain *d)
{
    unsigned int i;

    d->is_dying = true;
    machine_move_away(d);
    machine.domain[d->domain_id] = NULL;
    for ( i = 0; i < d->units; i++ )
        xfree(d->unit[i]);
    xfree(d);
}

/* Xen switches lazily: an idle CPU keeps the state of what ran before. */
static void load(unsigned int cpu, struct sched_unit *u)
{
    unsigned int other;

    if ( u->idle || machine.loaded[cpu] == u )
        return;
    for ( other = 0; other < MAX_CPUS; other++ )
        if ( machine.loaded[other] == u )
            machine.loaded[other] = NULL;
    machine.loaded[cpu] = u;
    psr_ctxt_switch_to(u->domain);
}

void machine_schedule(unsigned int cpu)
{
    struct sched_resource *sr = machine.cpu[cpu];

    fake_processor = cpu;
    rcu_read_lock(&sched_res_rculock);
    do {
        machine.kicked &= ~(1ULL << cpu);
        spin_lock(sr->schedule_lock);
        fake_scheduler.do_schedule(&fake_scheduler, sr->curr, fake_now, false);
        machine.due[cpu] = sr->curr->next_time < 0
                           ? VLIB_NEVER : fake_now + sr->curr->next_time;
        sr->curr = sr->curr->next_task;
        spin_unlock(sr->schedule_lock);
        load(cpu, sr->curr);
    } while ( machine.kicked >> cpu & 1 );
    rcu_read_unlock(&sched_res_rculock);
    fake_processor = 0;
}

bool machine_runs(const struct domain *d, unsigned int cpu)
{
    return machine.cpu[cpu]->curr->domain == d;
}

void machine_run(s_time_t time)
{
    s_time_t end = fake_now + time;

    for ( ; fake_now < end; fake_now += MILLISECS(1) )
    {
        unsigned int cpu;

        for_each_cpu ( cpu, &machine.pool )
            machine_schedule(cpu);
        if ( fake_timer && fake_timer->at <= fake_now )
        {
            struct timer *t = fake_timer;

            fake_timer = NULL;
            t->function(NULL);
        }
    }
}

long machine_call(struct domain *by, unsigned long cmd, unsigned long a1,
                  unsigned long a2, void *arg)
{
    static struct vcpu caller;
    fake_handle handle = { arg };
    long rc;

    caller.domain = by;
    current = &caller;
    machine.continuations = 0;
    for ( ; ; )
    {
        machine.again = false;
        rc = do_vlib_op(cmd, a1, a2, handle, 0);
        CHECK(!sched_res_rculock, "RCU is still held");
        if ( !machine.again )
            return rc;
        if ( ++machine.continuations == machine_patience )
            return -EAGAIN;
        cmd = machine.args[0];
        a1 = machine.args[1];
        a2 = machine.args[2];
        if ( arg )
            CHECK(machine.args[3] == (unsigned long)arg, "another argument");
    }
}
