/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUs and their runqueues on a virtual clock in nanoseconds, which jumps from
 * event to event. Timers fire up to 'late' after they are due, as Xen combines
 * timers; wake-ups and kicks take no time.
 *
 * The simulator keeps its own accounts of which task ran, waited and was
 * denied, from the task on each CPU between two events, and compares them with
 * the runqueues'.
 */
#ifndef VLIB_SIMULATOR_H
#define VLIB_SIMULATOR_H

#include "runqueue.h"
#include "seed.h"

#define MAX_CPUS 4
#define MAX_ACCOUNTS 20
#define MAX_TASKS 32
#define MAX_SPANS 512

/* The most recent foreground time of an account, in order. */
struct window {
    struct span {
        s_time_t from, to;
    } span[MAX_SPANS];
    unsigned int head, count;
    s_time_t sum;
};

struct account {
    struct vlib_account vlib;
    struct vlib_usage spent;
    struct window window;
};

struct task {
    struct vlib_entity vlib;
    struct vlib_group groups[MAX_CPUS]; /* its domain's, if it is the first */
    struct vlib_usage spent;
    unsigned int cpu;
    bool runnable;
    s_time_t work;              /* until it blocks; VLIB_NEVER: always */
    s_time_t wake;              /* by itself; VLIB_NEVER: never */
    /* For the program that drives the tasks: */
    bool job;
    s_time_t arrival;
    uint64_t settled;           /* its CPU's, when it arrived */
};

struct cpu {
    struct vlib_runqueue queue;
    struct account *floor;      /* its account here */
    s_time_t timer;
    bool kicked;
    struct vlib_usage spent;
    uint64_t idle;
    s_time_t began;             /* when its runqueue was made */
    s_time_t stint;             /* in background, while others waited */
    s_time_t denied;            /* in background, since it was denied */
    s_time_t wasted;            /* idle, while a task could have run */
    uint64_t settled;           /* changes that have taken effect, or 0 */
    uint64_t changes;
};

struct simulator {
    s_time_t now, late;
    bool always_late;           /* by 'late', instead of at most 'late' */
    struct seed seed;
    unsigned int cpus, accounts, tasks;
    struct cpu cpu[MAX_CPUS];
    struct account account[MAX_ACCOUNTS];
    struct task task[MAX_TASKS];
    uint64_t decisions;
    unsigned int scale;         /* of time, for drivers of the tasks */
    s_time_t changed;           /* last change of an account's values or CPUs */
    /* May be NULL: */
    void (*ran)(const struct cpu *c, const struct vlib_entity *e,
                s_time_t from, s_time_t to);
    void (*woke)(struct task *t);
    void (*blocked)(struct task *t);
};

extern struct simulator sim;

void sim_init(unsigned int cpus, s_time_t late, uint64_t seed);
struct account *sim_account(s_time_t budget, s_time_t period);
void sim_admit(struct account *a, unsigned int cpu, bool admitted);
/* A task is a domain of its own, or another vCPU of another task's domain. */
struct task *sim_task(unsigned int cpu, struct account *a, bool control);
struct task *sim_sibling(struct task *of, unsigned int cpu, struct account *a);

/* Ignored if t is runnable already, or not runnable. */
void sim_wake(struct task *t, s_time_t work);
void sim_sleep(struct task *t);
void sim_yield(struct task *t);
void sim_migrate(struct task *t, unsigned int cpu);

void sim_attach(struct task *t, struct account *a);
void sim_spare(struct task *t, bool spared);
void sim_change(struct account *a, s_time_t budget, s_time_t period);
void sim_charge(struct account *a, s_time_t used);
void sim_throttle(unsigned int cpu, s_time_t period, s_time_t idle);

/* The CPU is wanted for other work, which takes no time. */
void sim_idle(unsigned int cpu);

/* The CPU leaves its pool and returns, with a new runqueue. */
void sim_renew(unsigned int cpu);

/* Runs all events up to a time. */
void sim_run(s_time_t until);

/* Compares all accounts. */
void sim_finish(void);

static inline struct task *task_of(const struct vlib_entity *e)
{
    return container_of(e, struct task, vlib);
}

/* The account that is charged for t; or NULL. */
struct account *sim_account_of(const struct task *t);

/* Records which task ran up to a time, was denied, or was taken off. */
void books_run(struct cpu *c, struct task *t, s_time_t to);
void books_denied(const struct cpu *c, s_time_t denied);
void books_deschedule(const struct vlib_entity *last);

/* Checked after each decision, and before each event. */
void invariants_decided(const struct cpu *c, s_time_t until);
void invariants_passing(struct cpu *c, s_time_t to);

/* Adds foreground time, and checks how much of it one period saw. */
void window_add(struct account *a, s_time_t from, s_time_t to, s_time_t most);

#endif /* VLIB_SIMULATOR_H */
