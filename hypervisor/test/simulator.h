/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Some CPUs with their runqueues, on a virtual clock of nanoseconds that jumps
 * from event to event. Timers fire up to 'late' after they are due, as Xen
 * puts timers together; wake-ups and kicks are at once.
 *
 * It keeps its own books of who ran, waited and was denied, from what is on
 * each CPU between two events, and compares them with the runqueues'.
 */
#ifndef VLIB_SIMULATOR_H
#define VLIB_SIMULATOR_H

#include "runqueue.h"
#include "seed.h"

#define MAX_CPUS 4
#define MAX_ACCOUNTS 20
#define MAX_TASKS 32
#define MAX_SPANS 512

/* The latest foreground time of an account, in order. */
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
    struct vlib_group groups[MAX_CPUS]; /* of the domain that it began */
    struct vlib_usage spent;
    unsigned int cpu;
    bool runnable;
    s_time_t work;              /* until it blocks; VLIB_NEVER: it does not */
    s_time_t wake;              /* by itself; VLIB_NEVER: it does not */
    /* For those who drive the tasks: */
    bool job;
    s_time_t arrival;
    uint64_t settled;           /* its CPU's, when it arrived */
};

struct cpu {
    struct vlib_runqueue queue;
    struct account *floor;      /* its books */
    s_time_t timer;
    bool kicked;
    struct vlib_usage spent;
    uint64_t idle;
    s_time_t began;             /* its runqueue was made */
    s_time_t stint;             /* background, while others waited */
    s_time_t denied;            /* background, since it was denied */
    s_time_t wasted;            /* idle, while somebody could have run */
    uint64_t settled;           /* changes whose effects are over, or 0 */
    uint64_t changes;
};

struct simulator {
    s_time_t now, late;
    bool always_late;           /* by 'late', not by up to it */
    struct seed seed;
    unsigned int cpus, accounts, tasks;
    struct cpu cpu[MAX_CPUS];
    struct account account[MAX_ACCOUNTS];
    struct task task[MAX_TASKS];
    uint64_t decisions;
    unsigned int scale;         /* of time, for those who drive the tasks */
    s_time_t changed;           /* an account's values or CPUs, last */
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
/* A task is a domain by itself, or one more vCPU of another task's domain. */
struct task *sim_task(unsigned int cpu, struct account *a, bool control);
struct task *sim_sibling(struct task *of, unsigned int cpu, struct account *a);

/* What is not to be done is ignored: t is runnable already, or not yet. */
void sim_wake(struct task *t, s_time_t work);
void sim_sleep(struct task *t);
void sim_yield(struct task *t);
void sim_migrate(struct task *t, unsigned int cpu);

void sim_attach(struct task *t, struct account *a);
void sim_spare(struct task *t, bool spared);
void sim_change(struct account *a, s_time_t budget, s_time_t period);
void sim_charge(struct account *a, s_time_t used);
void sim_throttle(unsigned int cpu, s_time_t period, s_time_t idle);

/* The CPU is wanted for something else, for no time at all. */
void sim_idle(unsigned int cpu);

/* The CPU leaves its pool and comes back: its runqueue is made anew. */
void sim_renew(unsigned int cpu);

/* Runs all events up to a time. */
void sim_run(s_time_t until);

/* Compares all books. */
void sim_finish(void);

static inline struct task *task_of(const struct vlib_entity *e)
{
    return container_of(e, struct task, vlib);
}

/* The books of who pays for t; or NULL. */
struct account *sim_payer(const struct task *t);

/* Enters who ran up to a time, who was denied how long, who was taken off. */
void books_run(struct cpu *c, struct task *t, s_time_t to);
void books_denied(const struct cpu *c, s_time_t denied);
void books_deschedule(const struct vlib_entity *last);

/* What must be true after each decision, and before each event. */
void invariants_decided(const struct cpu *c, s_time_t until);
void invariants_passing(struct cpu *c, s_time_t to);

/* Adds foreground time, and checks how much of it one period saw. */
void window_add(struct account *a, s_time_t from, s_time_t to, s_time_t most);

#endif /* VLIB_SIMULATOR_H */
