/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision: which vCPU runs on a CPU now, on which budget, and until when.
 *
 * A vCPU whose reservation has budget is in the foreground, ordered by period.
 * All others share background time, as background.h says. A throttle denies
 * background time for a part of each period, to all but those that it spares:
 * control domains, as Dom0 must always be able to undo, and domains that are
 * marked critical.
 *
 * Locks: a runqueue is under its CPU's scheduler lock. Each server of a
 * reservation has a lock of its own, innermost, because its vCPUs may be on
 * several CPUs. Only one of them at a time, the holder, runs in the
 * foreground.
 */
#ifndef VLIB_RUNQUEUE_H
#define VLIB_RUNQUEUE_H

#include "background.h"
#include "heap.h"
#include "server.h"

#define VLIB_SLICE          2000000LL   /* of background time */
#define VLIB_GRANULARITY    100000LL    /* less is no reason to preempt */

/*
 * Thousands of vCPUs may have a refill at the same time, or wait for the same
 * budget. A decision examines at most this many, and another one follows soon,
 * so that the lock is not held for longer.
 */
#define VLIB_AT_ONCE        64
#define VLIB_SOON           10000LL

/*
 * The floor: reserved on each CPU for control domains' vCPUs without a
 * reservation, so that Dom0 can always undo what it did.
 */
#define VLIB_FLOOR_BUDGET   1000000LL
#define VLIB_FLOOR_PERIOD   20000000LL

struct vlib_usage {
    uint64_t foreground, background, throttled, deschedules;
};

static inline struct vlib_usage vlib_usage_since(
    const struct vlib_usage *now, const struct vlib_usage *before)
{
    return (struct vlib_usage){
        .foreground = now->foreground - before->foreground,
        .background = now->background - before->background,
        .throttled = now->throttled - before->throttled,
        .deschedules = now->deschedules - before->deschedules,
    };
}

static inline void vlib_usage_add(struct vlib_usage *sum,
                                  const struct vlib_usage *u)
{
    sum->foreground += u->foreground;
    sum->background += u->background;
    sum->throttled += u->throttled;
    sum->deschedules += u->deschedules;
}

struct vlib_entity;

/* A reservation's server, as runqueues see it. */
struct vlib_account {
    spinlock_t lock;
    unsigned int id;
    struct vlib_server server;
    struct vlib_entity *holder; /* runs in the foreground, or is chosen to; */
    unsigned int holds_on;      /* on this CPU */
    cpumask_t admitted;         /* CPUs on which it is admitted */
    cpumask_t contending;       /* CPUs that wait for the holder to leave */
    s_time_t elsewhere;         /* charged on others' behalf during this hold */
    struct vlib_usage usage;
};

/* A vCPU. */
struct vlib_entity {
    struct vlib_account *account;   /* is charged; NULL: none is */
    struct vlib_runqueue *queue;    /* it is on, or runs from; or NULL */
    struct vlib_group *groups;      /* its domain's, by CPU */
    uint64_t home;                  /* generation of the queue it was last on */
    bool control;                   /* of a control domain: may use the floor */
    bool spared;                    /* by the throttle */
    bool foreground;                /* as of when it was queued, or chosen */
    struct vlib_node ready;         /* in foreground, or in its group */
    struct vlib_node refill;        /* in refills, while in background */
    struct list_head contends;      /* in contending, while in background */
    uint64_t turn;                  /* its place among equals */
    s_time_t ready_since;           /* able to use budget; or VLIB_NEVER */
    s_time_t share;                 /* background time had, in its group */
    s_time_t denied;                /* denied_clock when it was queued */
    s_time_t queued;                /* time on queues, less now while on one */
    struct vlib_usage usage;
};

struct vlib_runqueue {
    unsigned int cpu;
    uint64_t generation;            /* unique, never 0 */
    struct vlib_account floor;      /* for control domains' vCPUs */
    struct vlib_heap foreground;    /* by period */
    struct vlib_heap background;    /* groups, by share */
    struct vlib_heap spared;        /* the same, of spared vCPUs */
    struct vlib_heap refills;       /* in background, by next refill */
    struct list_head contending;    /* in background, wait for a holder */
    struct vlib_entity *running;    /* NULL: idle */
    s_time_t since;                 /* charged up to */
    s_time_t until;                 /* the next decision, as planned */
    s_time_t share;                 /* the least that any group has had */
    uint64_t turns;
    s_time_t period, idle;          /* the throttle */
    bool denying;                   /* background time, since 'since' */
    s_time_t denied_clock;          /* for how long in total */
    uint64_t foreground_time, background_time, idle_time;
    uint64_t decisions, remote;     /* the latter: requested by other CPUs */
    s_time_t overrun, worst;        /* the largest since it was read; ever */
};

void vlib_account_init(struct vlib_account *a, unsigned int id,
                       s_time_t budget, s_time_t period, s_time_t now);
void vlib_runqueue_init(struct vlib_runqueue *q, unsigned int cpu,
                        s_time_t now);
/* groups: its domain's, one for each CPU; NULL if it is never queued. */
void vlib_entity_init(struct vlib_entity *e, struct vlib_group *groups,
                      bool control);

/* e is runnable, and not queued. */
void vlib_enqueue(struct vlib_runqueue *q, struct vlib_entity *e, s_time_t now);

/* e is no longer runnable, or leaves the CPU; it may be running. */
void vlib_dequeue(struct vlib_runqueue *q, struct vlib_entity *e, s_time_t now);

/* Charges the running vCPU up to now. */
void vlib_charge(struct vlib_runqueue *q, s_time_t now);

/* e leaves the foreground: waiting CPUs decide again. a is locked. */
void vlib_account_release(struct vlib_account *a, struct vlib_entity *e);

/* Charges a for what ran on q for 'used', up to now. */
void vlib_account_use(struct vlib_account *a, struct vlib_runqueue *q,
                      s_time_t used, s_time_t now);

/* e was taken off its CPU while it was runnable. */
void vlib_account_deschedule(struct vlib_entity *e);

/*
 * Charges a for what ran elsewhere on its behalf. Interrupts are off, since it
 * takes a's lock.
 */
void vlib_account_charge(struct vlib_account *a, s_time_t used, s_time_t now);

/* Changes the account of e, which may be queued or running. */
void vlib_attach(struct vlib_entity *e, struct vlib_account *a, s_time_t now);

/* Sets whether the throttle spares e, queued or running; control always is. */
void vlib_spare(struct vlib_entity *e, bool spared, s_time_t now);

/* Whether e, just queued, needs a decision before the planned one. */
bool vlib_preempts(const struct vlib_runqueue *q, const struct vlib_entity *e);

/*
 * Decides. The vCPU that ran, if still queued, is put back. The chosen one is
 * taken off the heaps and returned as q->running, or NULL to idle. *until is
 * the time of the next decision, or VLIB_NEVER.
 */
struct vlib_entity *vlib_decide(struct vlib_runqueue *q, s_time_t now,
                                s_time_t *until);

/* Puts the running vCPU back and idles: Xen has work of its own to do. */
void vlib_idle(struct vlib_runqueue *q, s_time_t now);

/* e, which is running, lets others of its kind run first. */
void vlib_yielded(struct vlib_runqueue *q, struct vlib_entity *e);

/* Makes a CPU decide again. Provided by the user of the runqueues, */
void vlib_kick(unsigned int cpu);

/* as is this: what runs on the CPU continues; the next decision is then. */
void vlib_replan(unsigned int cpu, s_time_t until);

#endif /* VLIB_RUNQUEUE_H */
