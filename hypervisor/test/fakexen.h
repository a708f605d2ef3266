/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The part of Xen that the whole module needs, for a process with one thread.
 * It is included before each of the module's files, whose includes of Xen find
 * empty files.
 *
 * Locks record how much was done while they were held, by kind of lock, in
 * basic blocks of the module's code (-fsanitize-coverage=trace-pc). Accesses
 * that need RCU or a lock are checked: runqueues and the use in accounts are
 * poisoned while their locks are free. The sanitizer detects the use of freed
 * memory.
 */
#ifndef VLIB_FAKEXEN_H
#define VLIB_FAKEXEN_H

#define FAKE_XEN
#define CONFIG_SCHED_VLIB

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern uint64_t fake_blocks;        /* of the module, executed */

struct fake_lock_kind {
    const char *name;
    uint64_t longest;               /* blocks in one critical section */
};
extern struct fake_lock_kind fake_module_lock, fake_scheduler_lock,
    fake_account_lock, fake_domctl_lock, fake_event_lock;

typedef struct {
    struct fake_lock_kind *kind;    /* NULL: an account's lock */
    bool locked;
    uint64_t since;
} spinlock_t;

extern void (*fake_meanwhile)(void); /* another CPU, when it may */

#define DEFINE_SPINLOCK(name) spinlock_t name = { &fake_module_lock, false, 0 }
#define spin_lock_init(l) (*(l) = (spinlock_t){ 0 })
void spin_lock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
#define spin_lock_irqsave(l, flags) ((flags) = 0, spin_lock(l))
#define spin_unlock_irqrestore(l, flags) ((void)(flags), spin_unlock(l))
#define spin_lock_irq(l) spin_lock(l)
#define spin_unlock_irq(l) spin_unlock(l)
#define local_irq_save(flags) ((flags) = 0)
#define local_irq_restore(flags) ((void)(flags))
#define read_lock(l) spin_lock(l)
#define read_unlock(l) spin_unlock(l)

#include "stubs.h"

#define cf_check
#define __read_mostly
#define likely(x) (x)
#define unlikely(x) (x)
#define ASSERT_UNREACHABLE() assert(false)
#define BUILD_BUG_ON(x) _Static_assert(!(x), #x)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define ERR_PTR(e) ((void *)(long)(e))
#define IS_ERR(p) ((unsigned long)(p) >= -4095UL)
extern unsigned int fake_nospec;    /* how many indices were clamped */
#define array_index_nospec(i, n) (fake_nospec++, (i) < (n) ? (i) : 0)
#define smp_wmb() ((void)0)
#define write_atomic(p, x) (*(p) = (x))
#define integer_param(name, var) \
    void fake_set_##var(unsigned int x); \
    void fake_set_##var(unsigned int x) { var = x; }
#define PRI_stime PRId64
#define printk(...) ((void)fprintf(stderr, __VA_ARGS__))

typedef struct {
    int counter;
} atomic_t;
#define atomic_read(a) ((a)->counter)
#define atomic_inc(a) ((void)(a)->counter++)
#define atomic_dec(a) ((void)(a)->counter--)

#define xzalloc(type) ((type *)calloc(1, sizeof(type)))
#define xzalloc_array(type, n) ((type *)calloc(n, sizeof(type)))
#define xzalloc_flex_struct(type, field, n) \
    ((type *)calloc(1, sizeof(type) + (n) * sizeof(((type *)0)->field[0])))
#define xfree(p) free(p)

#define list_del(n) list_del_init(n)
#define list_move_tail(n, l) (list_del_init(n), list_add_tail(n, l))

#define nr_cpu_ids NR_CPUS
unsigned int cpumask_weight(const cpumask_t *m);
bool cpumask_equal(const cpumask_t *a, const cpumask_t *b);
void cpumask_and(cpumask_t *to, const cpumask_t *a, const cpumask_t *b);
void cpumask_andnot(cpumask_t *to, const cpumask_t *a, const cpumask_t *b);
void cpumask_or(cpumask_t *to, const cpumask_t *a, const cpumask_t *b);
#define cpumask_copy(to, m) (*(to) = *(m))
#define cpumask_empty(m) (next_cpu(0, m) == NR_CPUS)
#define cpumask_any(m) next_cpu(0, m)
#define cpumask_next(cpu, m) next_cpu((cpu) + 1, m)
extern cpumask_t fake_online;
#define cpu_online(cpu) cpumask_test_cpu(cpu, &fake_online)
#define for_each_online_cpu(cpu) for_each_cpu ( cpu, &fake_online )
extern unsigned int fake_processor;
#define smp_processor_id() fake_processor

#define SECONDS(s) ((s_time_t)(s) * 1000000000LL)
#define MILLISECS(ms) ((s_time_t)(ms) * 1000000LL)
#define MICROSECS(us) ((s_time_t)(us) * 1000LL)
#define STIME_MAX INT64_MAX
extern s_time_t fake_now;
#define NOW() fake_now

struct timer {
    void (*function)(void *data);
    s_time_t at;
};
#define init_timer(t, f, data, cpu) ((t)->function = (f), (t)->at = INT64_MAX)
#define kill_timer(t) ((t)->at = INT64_MAX)
void set_timer(struct timer *t, s_time_t at);
bool timer_expires_before(struct timer *t, s_time_t at);
extern struct timer *fake_timer;    /* the one that is set, or NULL */

/* Domains, units, CPUs. */
typedef uint16_t domid_t;
typedef uint32_t evtchn_port_t;
#define DOMID_FIRST_RESERVED 0x7ff0

struct evtchn {
    unsigned int state;
#define ECS_INTERDOMAIN 3
    union {
        struct {
            struct domain *remote_dom;
            evtchn_port_t remote_port;
        } interdomain;
    } u;
};

struct domain {
    domid_t domain_id;
    bool is_privileged, is_dying, is_shutting_down;
    spinlock_t event_lock;
    void *sched_priv;
    unsigned int units;
    struct sched_unit *unit[160];
    struct evtchn evtchn[4];
    unsigned int events;            /* sent by its ports */
    struct {
        unsigned int psr_rmid, *psr_cos_ids;
    } arch;
};

/* Platform shared resources, in fakepsr.c. All CPUs are on one socket. */
struct psr_cmt {
    struct {
        unsigned int features, upscaling_factor;
    } l3;
};
extern struct psr_cmt *psr_cmt;     /* NULL: started without psr=cmt */
#define psr_cmt_enabled() (psr_cmt != NULL)
extern bool cpu_has_pqe;
void psr_ctxt_switch_to(struct domain *d);
#define X86_VENDOR_INTEL 1
#define boot_cpu_data ((struct { int x86_vendor; }){ X86_VENDOR_INTEL })
void cpuid_count(unsigned int leaf, unsigned int subleaf, unsigned int *eax,
                 unsigned int *ebx, unsigned int *ecx, unsigned int *edx);
#define cpu_physical_id(cpu) (cpu)
#define get_count_order(n) ((n) > 1 ? 32 - __builtin_clz((n) - 1) : 0)
#define MSR_IA32_CMT_EVTSEL 0xc8d
#define MSR_IA32_CMT_CTR 0xc8e
int wrmsr_safe(unsigned int msr, uint64_t value);
int rdmsr_safe(unsigned int msr, uint64_t *value);

struct vcpu {
    struct domain *domain;
    struct sched_unit *sched_unit;
    bool blocked;
};
extern struct vcpu *current;
#define vcpu_block() (current->blocked = true)
#define vcpu_unblock(v) ((v)->blocked = false)
extern struct domain *hardware_domain;
struct domain *rcu_lock_domain_by_id(domid_t domid);
#define rcu_unlock_domain(d) ((void)(d))
#define port_is_valid(d, port) ((port) && (port) < 4)
#define evtchn_from_port(d, port) (&(d)->evtchn[port])
int evtchn_send(struct domain *d, unsigned int port);

struct sched_unit {
    struct domain *domain;
    void *priv;
    struct sched_resource *res;
    struct sched_unit *next_task;
    s_time_t next_time;
    bool migrated, runnable, idle;
    unsigned int unit_id;
    cpumask_t affinity;
    cpumask_t *cpu_hard_affinity;
    struct vcpu vcpu, *vcpu_list;
};

struct sched_resource {
    const struct scheduler *scheduler;
    spinlock_t *schedule_lock, _lock;
    struct sched_unit *curr, *sched_unit_idle;
    void *sched_priv;
    unsigned int master_cpu;
    struct timer s_timer;
};

struct scheduler {
    const char *name, *opt_name;
    unsigned int sched_id;
    int (*init)(struct scheduler *);
    void (*deinit)(struct scheduler *);
    void (*free_udata)(const struct scheduler *, void *);
    void *(*alloc_udata)(const struct scheduler *, struct sched_unit *, void *);
    void (*free_pdata)(const struct scheduler *, void *, int);
    void *(*alloc_pdata)(const struct scheduler *, int);
    void *(*alloc_domdata)(const struct scheduler *, struct domain *);
    void (*free_domdata)(const struct scheduler *, void *);
    spinlock_t *(*switch_sched)(struct scheduler *, unsigned int, void *,
                                void *);
    void (*insert_unit)(const struct scheduler *, struct sched_unit *);
    void (*remove_unit)(const struct scheduler *, struct sched_unit *);
    void (*sleep)(const struct scheduler *, struct sched_unit *);
    void (*wake)(const struct scheduler *, struct sched_unit *);
    void (*yield)(const struct scheduler *, struct sched_unit *);
    void (*do_schedule)(const struct scheduler *, struct sched_unit *,
                        s_time_t, bool);
    struct sched_resource *(*pick_resource)(const struct scheduler *,
                                            const struct sched_unit *);
    void (*migrate)(const struct scheduler *, struct sched_unit *,
                    unsigned int);
    void (*dump_cpu_state)(const struct scheduler *, int);
};
extern struct scheduler fake_scheduler; /* the module's, as registered */
#define XEN_SCHEDULER_NULL 9
#define REGISTER_SCHEDULER(s) \
    __attribute__((constructor)) static void fake_register(void) \
    { fake_scheduler = (s); }
#define scheduler_get_default() (&fake_scheduler)

typedef int rcu_read_lock_t;
extern int sched_res_rculock;       /* depth */
#define rcu_read_lock(l) ((void)++*(l))
#define rcu_read_unlock(l) ((void)--*(l))
struct sched_resource *get_sched_res(unsigned int cpu); /* under RCU */
#define sched_unit_master(u) ((u)->res->master_cpu)
#define curr_on_cpu(cpu) (get_sched_res(cpu)->curr)
#define sched_idle_unit(cpu) (get_sched_res(cpu)->sched_unit_idle)
#define sched_get_resource_cpu(cpu) (cpu)
#define sched_set_res(u, r) ((u)->res = (r))
#define is_idle_unit(u) ((u)->idle)
#define unit_runnable(u) ((u)->runnable)
#define unit_runnable_state(u) ((u)->idle || (u)->runnable)
/* Moves the vCPU to the CPU that the scheduler picks. */
int vcpu_set_hard_affinity(struct vcpu *v, const cpumask_t *affinity);
spinlock_t *pcpu_schedule_lock(unsigned int cpu);
#define pcpu_schedule_lock_irq(cpu) pcpu_schedule_lock(cpu)
#define pcpu_schedule_lock_irqsave(cpu, f) (*(f) = 0, pcpu_schedule_lock(cpu))
#define pcpu_schedule_unlock_irq(l, cpu) spin_unlock(l)
#define pcpu_schedule_unlock_irqrestore(l, f, cpu) ((void)(f), spin_unlock(l))
#define unit_schedule_lock(u) pcpu_schedule_lock((u)->res->master_cpu)
#define unit_schedule_lock_irq(u) unit_schedule_lock(u)
#define unit_schedule_lock_irqsave(u, f) (*(f) = 0, unit_schedule_lock(u))
#define unit_schedule_unlock_irq(l, u) spin_unlock(l)
#define unit_schedule_unlock_irqrestore(l, f, u) \
    ((void)(f), (void)(u), spin_unlock(l))
#define SCHEDULE_SOFTIRQ 1
#define cpu_raise_softirq(cpu, nr) fake_kick(cpu)
void fake_kick(unsigned int cpu);
cpumask_t *cpumask_scratch_cpu(unsigned int cpu);
const cpumask_t *cpupool_domain_master_cpumask(const struct domain *d);
#define BALANCE_SOFT_AFFINITY 0
#define for_each_affinity_balance_step(s) for ( (s) = 0; (s) <= 1; (s)++ )
#define has_soft_affinity(u) false
#define affinity_balance_cpumask(u, step, mask) (*(mask) = (u)->affinity)

/* Hypercalls. */
typedef struct {
    void *p;
} fake_handle;
#define XEN_GUEST_HANDLE_PARAM(type) fake_handle
#define raw_copy_from_guest(to, from, n) (!(from) || !memcpy(to, from, n))
#define raw_copy_to_guest(to, from, n) (!(to) || !memcpy(to, from, n))
bool domctl_lock_acquire(void);
void domctl_lock_release(void);
long hypercall_create_continuation(unsigned int op, const char *format, ...);
bool hypercall_preempt_check(void);

/* XSM, and how Flask would decide. */
enum { XSM_HOOK, XSM_OTHER, XSM_PRIV };
enum {
    XEN_DOMCTL_scheduler_op = 16, XEN_SYSCTL_scheduler_op = 19,
    XEN_DOMCTL_SCHEDOP_putinfo = 0, XEN_DOMCTL_SCHEDOP_getinfo = 1,
    XEN_SYSCTL_SCHEDOP_putinfo = 0, XEN_SYSCTL_SCHEDOP_getinfo = 1,
};
extern bool fake_flask;             /* else without XSM */
int xsm_domctl(int action, struct domain *d, int cmd, uint32_t ssid);
int xsm_sysctl(int action, int cmd);
int xsm_domctl_scheduler_op(int action, struct domain *d, int op);
int xsm_sysctl_scheduler_op(int action, int op);

#endif /* VLIB_FAKEXEN_H */
