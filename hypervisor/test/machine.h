/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine for the whole module: CPUs that leave and return, domains,
 * hypercalls. Dom0 is domain 0. Time passes only where a test advances it.
 */
#ifndef VLIB_MACHINE_H
#define VLIB_MACHINE_H

#include "fakexen.h"
#include "module.h"

#define MAX_CPUS 64
#define MAX_DOMAINS 5000

struct machine {
    struct sched_resource *cpu[MAX_CPUS];
    cpumask_t pool;             /* CPUs under the module's scheduler */
    struct domain *domain[MAX_DOMAINS];
    struct sched_unit *loaded[MAX_CPUS]; /* whose state the CPU has */
    uint64_t kicked;
    s_time_t due[MAX_CPUS];     /* a CPU's next decision */
    bool again;                 /* the hypercall asked to be repeated */
    unsigned long args[4];
    unsigned int continuations; /* of the last hypercall */
    unsigned int moves;         /* of vCPUs, by the module */
    int asked;                  /* last XSM hook: whether to put or get */
};
extern struct machine machine;

/* Starts again with these CPUs, and Dom0 on the first. */
void machine_init(unsigned int cpus);

/*
 * Removes a CPU from the pool, moving its vCPUs and freeing its memory; and
 * back.
 */
void machine_remove_cpu(unsigned int cpu);
void machine_add_cpu(unsigned int cpu);

/* A domain whose vCPUs are all runnable, on these CPUs in turn. */
struct domain *machine_domain(domid_t domid, unsigned int vcpus,
                              unsigned int first, unsigned int cpus);
void machine_destroy(struct domain *d);

/* A vCPU sleeps, or wants to run. */
void machine_sleep(struct sched_unit *u);
void machine_wake(struct sched_unit *u);

/* Moves a domain to another scheduler's pool, and back. */
void machine_move_away(struct domain *d);
void machine_move_back(struct domain *d, unsigned int cpu);

/* Decides on a CPU until no further decision is asked for. */
void machine_schedule(unsigned int cpu);
bool machine_runs(const struct domain *d, unsigned int cpu);

/* Advances time, with decisions when they are due, and housekeeping. */
void machine_run(s_time_t time);

/* A hypercall by a domain with all its continuations, at most so many. */
long machine_call(struct domain *by, unsigned long cmd, unsigned long a1,
                  unsigned long a2, void *arg);
extern unsigned int machine_patience;

#endif /* VLIB_MACHINE_H */
