/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision: who runs on a CPU now, on whose budget, and until when.
 *
 * A vCPU that has a reservation with budget is in the foreground, ordered by
 * period. All others share background time, as background.h says. A throttle
 * denies background time for a part of each period, to all but those that are
 * spared: control domains, as Dom0 must always be able to undo, and domains
 * that were said to be critical.
 *
 * Locks: everything of a runqueue is under its CPU's scheduler lock. A
 * reservation has a lock of its own, innermost, because the vCPUs of one
 * domain may be on several CPUs. Only one of them at a time, its holder, runs
 * in the foreground.
 */
#ifndef VLIB_RUNQUEUE_H
#define VLIB_RUNQUEUE_H

#include "background.h"
#include "heap.h"
#include "server.h"

#define VLIB_SLICE          2000000LL   /* of background time */
#define VLIB_GRANULARITY    100000LL    /* a wake-up in less is not worth it */

/*
 * When thousands have a refill at the same time, or wait for the same budget, a
 * decision looks at so many of them, and another one follows soon: the lock is
 * not held for longer.
 */
#define VLIB_AT_ONCE        64
#define VLIB_SOON           10000LL

/*
 * The floor: what a CPU keeps for control domains' vCPUs that have no
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

struct vlib_entity;

/* A reservation, as the runqueues see it. */
struct vlib_account {
    spinlock_t lock;
    unsigned int id;
    struct vlib_server server;
    struct vlib_entity *holder; /* runs in the foreground, or would; */
    unsigned int holds_on;      /* on this CPU */
    cpumask_t admitted;         /* CPUs on which it may */
    cpumask_t contending;       /* CPUs that wait for the holder */
    s_time_t elsewhere;         /* charged for others, since the holder was */
    struct vlib_usage usage;
};

/* A vCPU. */
struct vlib_entity {
    struct vlib_account *account;   /* pays; NULL: nobody */
    struct vlib_runqueue *queue;    /* it is on, or runs from; or NULL */
    struct vlib_group *groups;      /* its domain's, by CPU */
    uint64_t home;                  /* generation of the queue it was last on */
    bool control;                   /* of a control domain: has the floor */
    bool spared;                    /* from the throttle */
    bool foreground;                /* as it is queued or runs */
    struct vlib_node ready;         /* in foreground, or in its group */
    struct vlib_node refill;        /* in refills, while in background */
    struct list_head contends;      /* in contending, while in background */
    uint64_t turn;                  /* its place among equals */
    s_time_t ready_since;           /* able to use budget; or VLIB_NEVER */
    s_time_t share;                 /* background time, in its group */
    s_time_t denied;                /* the queue's clock when it was queued */
    struct vlib_usage usage;
};

struct vlib_runqueue {
    unsigned int cpu;
    uint64_t generation;            /* no other ever had this one, or 0 */
    struct vlib_account floor;      /* pays for control domains' vCPUs */
    struct vlib_heap foreground;    /* by period */
    struct vlib_heap background;    /* groups, by share */
    struct vlib_heap spared;        /* the same, of those that are spared */
    struct vlib_heap refills;       /* in background, by next refill */
    struct list_head contending;    /* in background, wait for a holder */
    struct vlib_entity *running;    /* NULL: idle */
    s_time_t since;                 /* charged up to */
    s_time_t until;                 /* the next decision, as it was planned */
    s_time_t share;                 /* the least that a group had */
    uint64_t turns;
    s_time_t period, idle;          /* the throttle */
    bool denying;                   /* background time, since 'since' */
    s_time_t denied_clock;          /* how long it has, in all */
    uint64_t foreground_time, background_time, idle_time;
    uint64_t decisions, remote;     /* the latter: asked for by other CPUs */
    s_time_t overrun, worst;        /* the largest, since it was read; ever */
};

void vlib_account_init(struct vlib_account *a, unsigned int id,
                       s_time_t budget, s_time_t period, s_time_t now);
void vlib_runqueue_init(struct vlib_runqueue *q, unsigned int cpu,
                        s_time_t now);
/* groups are its domain's, one for each CPU; NULL if it is never queued. */
void vlib_entity_init(struct vlib_entity *e, struct vlib_group *groups,
                      bool control);

/* e is runnable, and not queued. */
void vlib_enqueue(struct vlib_runqueue *q, struct vlib_entity *e, s_time_t now);

/* e is not runnable any more, or leaves the CPU; it may be running. */
void vlib_dequeue(struct vlib_runqueue *q, struct vlib_entity *e, s_time_t now);

/* Charges what ran up to now. */
void vlib_charge(struct vlib_runqueue *q, s_time_t now);

/* The holder gives up the foreground: who waited looks again. a is locked. */
void vlib_account_release(struct vlib_account *a, struct vlib_entity *e);

/* What runs on q, and pays from a, ran for so long up to now. */
void vlib_account_use(struct vlib_account *a, struct vlib_runqueue *q,
                      s_time_t used, s_time_t now);

/* e was taken off its CPU while it was runnable. */
void vlib_account_deschedule(struct vlib_entity *e);

/*
 * Charges a for what ran elsewhere on its behalf. Interrupts are off: it takes
 * a's lock.
 */
void vlib_account_charge(struct vlib_account *a, s_time_t used, s_time_t now);

/* Changes who pays for e, which may be queued or running. */
void vlib_attach(struct vlib_entity *e, struct vlib_account *a, s_time_t now);

/* Whether the throttle spares e, queued or running; control always is. */
void vlib_spare(struct vlib_entity *e, bool spared, s_time_t now);

/* Says whether e, just queued, needs a decision before the planned one. */
bool vlib_preempts(const struct vlib_runqueue *q, const struct vlib_entity *e);

/*
 * Decides. What ran and is still queued is put back; the answer is taken off
 * the heaps and is q->running, or NULL to idle. *until is the time of the next
 * decision, or VLIB_NEVER.
 */
struct vlib_entity *vlib_decide(struct vlib_runqueue *q, s_time_t now,
                                s_time_t *until);

/* Puts what runs back, to idle: Xen has work of its own to do. */
void vlib_idle(struct vlib_runqueue *q, s_time_t now);

/* e, which runs, lets others of its kind run first. */
void vlib_yielded(struct vlib_runqueue *q, struct vlib_entity *e);

/* Makes a CPU decide again. Provided by whoever drives the runqueues. */
void vlib_kick(unsigned int cpu);

#endif /* VLIB_RUNQUEUE_H */
