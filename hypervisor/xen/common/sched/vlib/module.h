/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Declarations shared by the files of the module. Locks, outermost first:
 *
 *   vlib_lock                domains, reservations, calls: lists and states
 *   a CPU's scheduler lock   its runqueue, and the vCPUs on it
 *   an account's lock        its budget and use
 *
 * vlib_lock is never taken in an interrupt, nor with a scheduler lock held.
 * Events are sent with none of them held.
 */
#ifndef VLIB_MODULE_H
#define VLIB_MODULE_H

#include <xen/event.h>
#include <xen/hypercall.h>
#include <xen/sched.h>
#include <xen/timer.h>
#include <xen/vlib.h>
#include <public/vlib.h>

#include "../private.h"
#include "admission.h"
#include "runqueue.h"

/* A vCPU under this scheduler: its unit's private data. */
struct vlib_unit {
    struct vlib_entity entity;
    struct sched_unit *unit;
    unsigned int number;        /* of the vCPU in its domain */
    struct vlib_domain *domain; /* NULL: the module does not know it */
    struct list_head list;      /* in domain->units, or on its own */
    struct vlib_unit *next;     /* in the same place of the hash table */
    bool gated;
    struct domain *class;       /* whose cache class it has; NULL: its own */
    bool reload;                /* class and monitoring ID, when it runs next */
    unsigned int residence;     /* CPU on which it is counted as a resident */
    unsigned int place;         /* CPU on which it is, or is to be soon */
    struct list_head move;      /* in the list of units that are to move */
    struct list_head all;       /* in vlib_units */
    unsigned int goal;          /* CPU for which the trial plans it */
    uint64_t planned;           /* number of the trial that has planned it */
    s_time_t off_since;         /* when it last left a CPU */
};

/* A request of a caller's port, and its cost to the reservation. */
struct vlib_call {
    struct vlib_reservation *reservation;
    unsigned int state;         /* VLIB_CALL_* */
    struct vlib_domain *domain; /* queued at, or active in; NULL: it is over */
    struct list_head list;      /* in domain->queue */
    struct list_head tell;      /* in unsignalled, until its server is told */
    struct vlib_node late;      /* among all that are not over, by deadline */
    struct domain *caller;
    struct vcpu *waiter;        /* of the caller, woken at the end; or NULL */
    evtchn_port_t caller_port, callee_port;
    uint64_t request;
    s_time_t queued, started, ended;
    struct vlib_usage before;   /* the account's use when it started */
    struct vlib_usage cost;
    unsigned int monitor;       /* the domain's ID when it started; 0: none */
    struct vlib_memory memory;  /* until it is over: the counter at its start */
};

/* vCPU v of a domain that runs on it uses server v modulo their number. */
struct vlib_reservation {
    unsigned int id;
    unsigned int nr_servers;
    struct vlib_account *server[VLIB_MAX_SERVERS];
    cpumask_t cpus;             /* on which any of them is admitted */
    struct vlib_usage past;     /* of servers that it has no longer */
    unsigned int to_review;     /* the server that a review examines next */
    struct list_head list;      /* in vlib_reviewed */
    struct list_head callees;   /* struct vlib_callee */
    unsigned int nr_callees;
    struct vlib_domain *adopted;
    struct vlib_call calls[VLIB_MAX_CALLS]; /* all of them in one domain */
    struct vlib_call *last;     /* the most recent call */
    uint64_t count;             /* calls made so far */
    struct list_head attached;  /* domains whose vCPUs run on it */
    struct list_head busy;      /* domains that serve its abandoned calls */
};

/* A domain that a reservation may call. */
struct vlib_callee {
    struct list_head list;      /* in reservation->callees */
    struct list_head callers;   /* in domain->callers */
    struct vlib_domain *domain;
    struct vlib_reservation *reservation;
};

/* A hold of a gate. */
struct vlib_hold {
    uint32_t number;            /* by which its owner drops it; 0: not in use */
    s_time_t until;
};

/* A domain that the module knows. */
struct vlib_domain {
    struct list_head list;      /* of all */
    struct vlib_domain *next;   /* in the same place of the hash table */
    struct domain *domain;      /* dereferenced only while it has units */
    domid_t domid;
    bool gone;                  /* removed from the table, being dismantled */
    uint32_t flags;             /* VLIB_DOMAIN_* */
    struct list_head units;
    unsigned int nr_units;
    struct list_head attached;  /* in its reservation's attached, or alone */
    struct list_head callers;   /* struct vlib_callee */
    struct vlib_reservation *adopter;
    bool open;                  /* the gate, as applied */
    struct list_head gate;      /* in the list of all gates */
    s_time_t closed_at;
    /* Calls. */
    bool listening;             /* in LISTEN: nothing else runs there */
    bool delivered;             /* the server was told of the active call */
    struct vlib_call *active;
    unsigned int abandoned;     /* reservation of a call given up; or 0 */
    struct list_head busy;      /* in that reservation's busy, or alone */
    evtchn_port_t abandoned_port;   /* the caller's */
    uint64_t abandoned_request;
    evtchn_port_t found_port;   /* of a request served before its call; or 0 */
    uint64_t found_request;
    struct list_head queue;     /* struct vlib_call */
    bool unsettled;             /* its vCPUs have a call's account or class */
    unsigned int queued;
    unsigned int holds;         /* holds in force */
    struct vlib_hold hold[VLIB_MAX_HOLDS];
    struct vlib_node hold_ends; /* the first hold, among all domains' */
    uint64_t calls;
};

extern spinlock_t vlib_lock;
extern bool vlib_leaving; /* a live patch gives back all that it holds */

static always_inline void vlib_each_unit(const struct vlib_domain *vd,
                                         void (*f)(struct vlib_unit *vu))
{
    struct vlib_unit *vu;

    if ( vd )
        list_for_each_entry ( vu, &vd->units, list )
            f(vu);
}

/*
 * Calls f with each vCPU that runs on r, or would in a call, and of 'added'.
 * There may be thousands, so it is inline.
 */
static always_inline void vlib_each_user(const struct vlib_reservation *r,
                                         const struct vlib_domain *added,
                                         void (*f)(struct vlib_unit *vu))
{
    const struct vlib_callee *c;

    vlib_each_unit(r->adopted, f);
    vlib_each_unit(added, f);
    list_for_each_entry ( c, &r->callees, list )
        vlib_each_unit(c->domain, f);
}

/*
 * Work on many domains stops after this many vCPUs, and continues in another
 * critical section of vlib_lock. Work on one domain is done in one of them.
 */
#define VLIB_UNITS_AT_ONCE 32

static inline struct vlib_cost vlib_cost(const struct vlib_usage *u)
{
    return (struct vlib_cost){
        .foreground = u->foreground, .background = u->background,
        .throttled = u->throttled, .deschedules = u->deschedules,
    };
}

static inline unsigned int vlib_domain_work(const struct vlib_domain *vd)
{
    return 1 + vd->nr_units;
}

/*
 * The scheduler lock of the CPU where vu is. The CPU's struct sched_resource,
 * which holds the lock, is freed by RCU when the CPU is unplugged.
 */
static inline spinlock_t *vlib_unit_lock(const struct vlib_unit *vu,
                                         unsigned long *flags)
{
    rcu_read_lock(&sched_res_rculock);
    return unit_schedule_lock_irqsave(vu->unit, flags);
}

static inline void vlib_unit_unlock(spinlock_t *lock, unsigned long flags,
                                    const struct vlib_unit *vu)
{
    unit_schedule_unlock_irqrestore(lock, flags, vu->unit);
    rcu_read_unlock(&sched_res_rculock);
}

/* Moves set it under the scheduler lock, too, and so it may change any time. */
static inline unsigned int vlib_unit_place(const struct vlib_unit *vu)
{
    return read_atomic(&vu->place);
}

/* scheduler.c */
extern const struct scheduler vlib_scheduler;
bool vlib_is_ours(const struct scheduler *s);
bool vlib_drives(unsigned int cpu);         /* under sched_res_rculock; */
struct vlib_runqueue *vlib_runqueue(unsigned int cpu); /* also under its lock */
void vlib_unit_start(struct vlib_unit *vu); /* with its scheduler lock, */
void vlib_unit_stop(struct vlib_unit *vu);  /* both: under its lock */

/* domain.c: all under vlib_lock. */
extern struct list_head vlib_domains;
extern unsigned int vlib_nr_domains; /* without those that are gone */
struct vlib_domain *vlib_domain_find(const struct domain *d);
struct vlib_domain *vlib_domain_named(domid_t domid,
                                      const struct vlib_domain *after);
int vlib_domain_make(struct domain *d, struct vlib_domain **made);
bool vlib_domain_here(const struct domain *d);
void vlib_domain_join(struct vlib_unit *vu);
void vlib_domain_leave(struct vlib_unit *vu);
void vlib_domain_arrive(struct vlib_unit *vu);
void vlib_domain_depart(struct vlib_unit *vu);
bool vlib_domain_drop(struct vlib_domain *vd); /* whether it is finished */
void vlib_domain_sweep_all(void);
bool vlib_domain_sweep(void);               /* whether there is more */
void vlib_domain_attach(struct vlib_domain *vd, struct vlib_reservation *r,
                        s_time_t now);
void vlib_domain_spare(struct vlib_domain *vd);
void vlib_domain_settle(struct vlib_domain *vd, s_time_t now);
bool vlib_domain_settle_all(struct vlib_reservation *r); /* says whether some */
void vlib_domain_charge(struct vlib_domain *vd, s_time_t now);
unsigned int vlib_domain_usage(const struct domain *d, struct vlib_usage *sum,
                               uint64_t *waited);

/* servers.c: all under vlib_lock. */
static inline unsigned int vlib_server_number(const struct vlib_unit *vu,
                                              unsigned int servers)
{
    return vu->number % servers;
}
struct vlib_account *vlib_server_of(const struct vlib_reservation *r,
                                    const struct vlib_unit *vu); /* r or NULL */
const struct vlib_server *vlib_values(const struct vlib_reservation *r);
bool vlib_servers_left(unsigned int before, unsigned int number);
int vlib_servers_add(struct vlib_reservation *r, unsigned int number,
                     s_time_t budget, s_time_t period);
void vlib_servers_trim(struct vlib_reservation *r, unsigned int number);
struct vlib_usage vlib_reservation_usage(const struct vlib_reservation *r);
const cpumask_t *vlib_reservation_needs(const struct vlib_reservation *r);
int vlib_reservation_info(struct vlib_reservation_info *op);
int vlib_server_info(struct vlib_server_info *op);

/* place.c: where vCPUs are, or may be; under vlib_lock. */
/* The CPUs on which it may be: the preferred ones, if there are any. */
void vlib_unit_allowed(const struct vlib_unit *vu, cpumask_t *cpus);
bool vlib_domain_movable(const struct vlib_domain *vd,
                         const struct vlib_reservation *r);
void vlib_unit_send(struct vlib_unit *vu, unsigned int cpu);
void vlib_moves(void);                      /* vlib_lock free */
uint64_t vlib_nr_moves(void);

/* gate.c: under vlib_lock. */
void vlib_gate_apply(struct vlib_domain *vd, s_time_t now);
void vlib_gate_insert(struct vlib_domain *vd);
void vlib_gate_remove(struct vlib_domain *vd);
void vlib_gate_apply_all(void); /* vlib_lock free */
s_time_t vlib_hold_expire(s_time_t now);
long vlib_hold(domid_t domid, unsigned long number, s_time_t limit); /* free */

/* order.c: reservations by number and by period, all under vlib_lock. */
extern struct vlib_reservation *vlib_order[]; /* by period */
extern uint64_t vlib_order_revision;
extern unsigned int vlib_nr_reservations;
struct vlib_reservation *vlib_reservation_find(unsigned long id);
void vlib_order_insert(struct vlib_reservation *r);
void vlib_order_remove(struct vlib_reservation *r);

/* balance.c: all under vlib_lock. */
extern struct list_head vlib_units;
void vlib_balance_join(struct vlib_unit *vu);
void vlib_balance_leave(struct vlib_unit *vu);
s_time_t vlib_balance(s_time_t now, s_time_t soon); /* when there is more */

/* trial.c: all under vlib_lock. */
struct vlib_refusal {
    unsigned int cpu;           /* on which it does not fit */
    unsigned int server;        /* that does not */
    unsigned int misses;        /* the reservation that would miss */
    s_time_t response;
};

struct vlib_query {
    struct vlib_reservation *r;
    s_time_t budget, period;
    unsigned int servers;       /* their number; all have these values */
    unsigned int only;          /* the one that is asked for, or VLIB_ALL */
#define VLIB_ALL VLIB_MAX_SERVERS
    struct vlib_domain *added;  /* a domain that is to run on r, or NULL */
    unsigned int leave;         /* the CPU that 'only' is to leave; 0: none */
    unsigned int first;         /* the CPU that is tried first; 0: none */
};

/*
 * Returns whether the servers fit on the CPUs where their vCPUs are, or to
 * which they may move: 0, -ENOSPC, or -ERESTART if that is not known yet. The
 * caller then releases vlib_lock and asks the same again. Each answer is given
 * once. After 0, vlib_trial_need() has a server's CPUs, and vlib_trial_move()
 * moves the vCPUs there.
 */
int vlib_trial(const struct vlib_query *q, struct vlib_refusal *refusal);
const cpumask_t *vlib_trial_need(unsigned int server);
void vlib_trial_move(void);
/* r or vd is no more; the other one may be NULL. */
void vlib_trial_forget(const struct vlib_reservation *r,
                       const struct vlib_domain *vd);

/* plan.c: the CPUs where a refused server may be; all under vlib_lock. */
void vlib_plan_alternatives(unsigned int server, unsigned int cpu,
                            cpumask_t *cpus);

/* room.c: as vlib_trial(), but servers of others move if that makes room. */
int vlib_fit(const struct vlib_query *q, struct vlib_refusal *refusal);
void vlib_room_forget(const struct vlib_reservation *r,
                      const struct vlib_domain *vd);

/* reservation.c: all under vlib_lock. */
int vlib_reservation_set(struct vlib_reserve *op);
int vlib_reservation_remove(unsigned int id);
int vlib_reservation_adopt(struct vlib_bind *op, struct domain *d);
int vlib_reservation_allow(struct vlib_bind *op, struct domain *d);
bool vlib_reservation_allows(const struct vlib_reservation *r,
                             const struct vlib_domain *vd);
bool vlib_reservation_forget_one(struct vlib_domain *vd);
/* Admits the servers as the trial has found, and moves their vCPUs there. */
void vlib_reservation_admit(struct vlib_reservation *r);
/* Restricts a server to CPUs on which it is admitted. */
void vlib_reservation_withdraw(struct vlib_reservation *r, unsigned int server,
                               const cpumask_t *cpus);
uint64_t vlib_share(s_time_t budget, s_time_t period);
uint64_t vlib_admitted(unsigned int cpu);
extern unsigned int vlib_timer_slop;
s_time_t vlib_late(void);

/* review.c: all under vlib_lock. */
extern struct list_head vlib_reviewed;      /* all, the next to review first */
void vlib_review_all(void);
bool vlib_review(void);                     /* whether there is more */

/* call.c: under vlib_lock, but for the last two. */
void vlib_call_init(struct vlib_reservation *r);
struct vlib_domain *vlib_call_domain(const struct vlib_reservation *r);
struct vlib_domain *vlib_call_runs(const struct vlib_reservation *r);
void vlib_call_deadline(struct vlib_call *c, s_time_t deadline);
void vlib_call_enqueue(struct vlib_call *c, struct vlib_domain *vd,
                       s_time_t deadline);
struct vlib_call *vlib_call_next(struct vlib_domain *vd, s_time_t now);
void vlib_call_applied(struct vlib_domain *vd, s_time_t now);
void vlib_call_resume(struct vlib_domain *vd);
void vlib_call_end(struct vlib_call *c, unsigned int state, s_time_t now);
void vlib_call_give_up(struct vlib_call *c, unsigned int state);
bool vlib_call_stop(struct vlib_reservation *r, unsigned int state);
void vlib_call_free(struct vlib_domain *vd);
bool vlib_call_forget(struct vlib_reservation *r); /* says whether some */
s_time_t vlib_call_expire(s_time_t now);
void vlib_call_signal(void);

/* request.c: port is the caller's. */
long vlib_call(domid_t domid, evtchn_port_t port, unsigned long id,
               s_time_t timeout, uint64_t request);
long vlib_cancel(domid_t domid, evtchn_port_t port, unsigned long id,
                 uint64_t request);
long vlib_finish(domid_t domid, evtchn_port_t port, unsigned long id,
                 uint64_t request);
bool vlib_call_check(struct vlib_domain *vd);   /* under vlib_lock */

/* listen.c: port is the server's. */
long vlib_listen(unsigned long port, unsigned long flags, uint64_t request);
long vlib_complete(unsigned long port, unsigned long flags, uint64_t request);

/* lease.c */
extern bool vlib_lease_lost;
long vlib_lease_renew(s_time_t time);
s_time_t vlib_lease_left(void);
uint64_t vlib_leases_lost(void);
void vlib_housekeeping_init(void);
void vlib_housekeeping_by(s_time_t when);
void vlib_housekeeping_end(void);

/* throttle.c */
int vlib_throttle_set(const struct vlib_throttle *op);
void vlib_throttle_lift(void);

/* clock.c */
int vlib_clock_init(void);
void vlib_clock_forbid(void);                /* from now on */
void vlib_clock_stop(domid_t domid, s_time_t time);
void vlib_clock_reset(domid_t domid);
s_time_t vlib_clock_stopped(domid_t domid);

/* class.c */
extern struct domain *vlib_classes[];        /* by CPU; NULL: the vCPU's own */
int vlib_class_may_follow(void);             /* 0, or why not */
void vlib_class_forbid(void);                /* from now on */
void vlib_class_change(struct vlib_unit *vu, struct domain *d);
void vlib_class_load(unsigned int cpu, struct vlib_unit *vu);

static inline void vlib_class_set(struct vlib_unit *vu, struct domain *d)
{
    if ( vu->class != d )
        vlib_class_change(vu, d);
}

/* monitor.c: under vlib_lock; c is active. */
void vlib_monitor_begin(struct vlib_call *c);
void vlib_monitor_end(struct vlib_call *c);     /* if it has c->monitor */

/* access.c: 0, or the error; 'change' is false for read-only operations. */
int vlib_may_control_host(bool change);
int vlib_may_control(struct domain *d, bool change);

/* counters.c */
unsigned int vlib_counters_kind(void);
int vlib_counters_read(struct vlib_counters *op);

#endif /* VLIB_MODULE_H */
