/* SPDX-License-Identifier: GPL-2.0-only */
#include <sanitizer/asan_interface.h>

#include "check.h"
#include "machine.h"

uint64_t fake_blocks;
struct fake_lock_kind fake_module_lock = { "the module's", 0 };
struct fake_lock_kind fake_scheduler_lock = { "a CPU's", 0 };
struct fake_lock_kind fake_account_lock = { "an account's", 0 };
struct fake_lock_kind fake_domctl_lock = { "Xen's domctl", 0 };
struct fake_lock_kind fake_event_lock = { "a domain's event", 0 };
unsigned int fake_nospec;
void (*fake_meanwhile)(void);
cpumask_t fake_online;
s_time_t fake_now;
struct timer *fake_timer;
struct vcpu *current;
struct domain *hardware_domain;
struct scheduler fake_scheduler;
int sched_res_rculock;
unsigned int fake_processor;
bool fake_flask;

/* Called by the compiler at each basic block of the module. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    fake_blocks++;
}

static void permit(void *p, size_t size, bool may)
{
    if ( may )
        ASAN_UNPOISON_MEMORY_REGION(p, size);
    else
        ASAN_POISON_MEMORY_REGION(p, size);
}

/* A runqueue, and an account's use, may be accessed only under their locks. */
static void touchable(spinlock_t *l, bool may)
{
    if ( !l->kind )
        permit(&container_of(l, struct vlib_account, lock)->usage,
              sizeof(struct vlib_usage), may);
    if ( l->kind == &fake_scheduler_lock &&
         container_of(l, struct sched_resource, _lock)->sched_priv )
        permit(container_of(l, struct sched_resource, _lock)->sched_priv,
               sizeof(struct vlib_runqueue), may);
}

void spin_lock(spinlock_t *l)
{
    CHECK(!l->locked, "a lock is taken twice");
    l->locked = true;
    l->since = fake_blocks;
    touchable(l, true);
}

void spin_unlock(spinlock_t *l)
{
    struct fake_lock_kind *k = l->kind ?: &fake_account_lock;

    CHECK(l->locked, "a lock is not held");
    touchable(l, false);
    l->locked = false;
    k->longest = max(k->longest, fake_blocks - l->since);
    if ( fake_meanwhile && k == &fake_module_lock )
    {
        void (*run)(void) = fake_meanwhile;

        fake_meanwhile = NULL;
        run();
        fake_meanwhile = run;
    }
}

unsigned int cpumask_weight(const cpumask_t *m)
{
    unsigned int i, n = 0;

    for ( i = 0; i < NR_CPUS / WORD_CPUS; i++ )
        n += __builtin_popcountll(m->word[i]);
    return n;
}

bool cpumask_equal(const cpumask_t *a, const cpumask_t *b)
{
    return !memcmp(a, b, sizeof(*a));
}

#define COMBINE(name, op) \
void name(cpumask_t *to, const cpumask_t *a, const cpumask_t *b) \
{ \
    unsigned int i; \
    for ( i = 0; i < NR_CPUS / WORD_CPUS; i++ ) \
        to->word[i] = a->word[i] op b->word[i]; \
}
COMBINE(cpumask_and, &)
COMBINE(cpumask_andnot, & ~)
COMBINE(cpumask_or, |)

void set_timer(struct timer *t, s_time_t at)
{
    t->at = at;
    if ( t->function )
        fake_timer = t;
    else /* a CPU's: when it decides next */
        machine.due[container_of(t, struct sched_resource, s_timer)
                        ->master_cpu] = at;
}

/* Of a CPU's. */
bool timer_expires_before(struct timer *t, s_time_t at)
{
    return machine.due[container_of(t, struct sched_resource, s_timer)
                           ->master_cpu] <= at;
}

struct domain *rcu_lock_domain_by_id(domid_t domid)
{
    return domid < MAX_DOMAINS ? machine.domain[domid] : NULL;
}

int evtchn_send(struct domain *d, unsigned int port)
{
    CHECK(port_is_valid(d, port), "port %u", port);
    d->events++;
    return 0;
}

struct sched_resource *get_sched_res(unsigned int cpu)
{
    CHECK(sched_res_rculock > 0, "CPU %u's resource used without RCU", cpu);
    return cpu < MAX_CPUS ? machine.cpu[cpu] : NULL;
}

spinlock_t *pcpu_schedule_lock(unsigned int cpu)
{
    spinlock_t *l = get_sched_res(cpu)->schedule_lock;

    spin_lock(l);
    return l;
}

void fake_kick(unsigned int cpu)
{
    CHECK(cpu_online(cpu), "CPU %u is kicked while offline", cpu);
    machine.kicked |= 1ULL << cpu;
}

cpumask_t *cpumask_scratch_cpu(unsigned int cpu)
{
    static cpumask_t scratch[NR_CPUS];

    return &scratch[cpu];
}

const cpumask_t *cpupool_domain_master_cpumask(const struct domain *d)
{
    (void)d;
    return &machine.pool;
}

static spinlock_t domctl = { &fake_domctl_lock, false, 0 };

bool domctl_lock_acquire(void)
{
    spin_lock(&domctl);
    return true;
}

void domctl_lock_release(void)
{
    spin_unlock(&domctl);
}

long hypercall_create_continuation(unsigned int op, const char *format, ...)
{
    unsigned int i;
    va_list args;

    CHECK(op == __HYPERVISOR_vlib_op, "hypercall %u", op);
    va_start(args, format);
    for ( i = 0; format[i]; i++ )
        machine.args[i] = va_arg(args, unsigned long); /* or a pointer */
    va_end(args);
    machine.again = true;
    return 0;
}

bool hypercall_preempt_check(void)
{
    return false;
}

/* Without Flask the first of each pair of hooks decides, with it the second. */
static int only_privileged(bool asked_here)
{
    return !asked_here || current->domain->is_privileged ? 0 : -EPERM;
}

int xsm_domctl(int action, struct domain *d, int cmd, uint32_t ssid)
{
    (void)d; (void)ssid;
    CHECK(action == XSM_OTHER && cmd == XEN_DOMCTL_scheduler_op, "%d", cmd);
    return only_privileged(!fake_flask);
}

int xsm_sysctl(int action, int cmd)
{
    CHECK(action == XSM_PRIV && cmd == XEN_SYSCTL_scheduler_op, "%d", cmd);
    return only_privileged(!fake_flask);
}

int xsm_domctl_scheduler_op(int action, struct domain *d, int op)
{
    (void)d;
    CHECK(action == XSM_HOOK && op <= XEN_DOMCTL_SCHEDOP_getinfo, "%d", op);
    machine.asked = op;
    return only_privileged(fake_flask);
}

int xsm_sysctl_scheduler_op(int action, int op)
{
    CHECK(action == XSM_HOOK && op <= XEN_SYSCTL_SCHEDOP_getinfo, "%d", op);
    machine.asked = op;
    return only_privileged(fake_flask);
}

unsigned int vlib_counters_kind(void)
{
    return 0;
}

int vlib_counters_read(struct vlib_counters *op)
{
    (void)op;
    return 0;
}
