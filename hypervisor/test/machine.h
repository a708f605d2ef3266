/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine for the whole module: CPUs that come and go, domains, hypercalls.
 * Dom0 is domain 0. Time stands still but where a test moves it.
 */
#ifndef VLIB_MACHINE_H
#define VLIB_MACHINE_H

#include "fakexen.h"
#include "module.h"

#define MAX_CPUS 8
#define MAX_DOMAINS 5000

struct machine {
    struct sched_resource *cpu[MAX_CPUS];
    cpumask_t pool;             /* CPUs under the module's scheduler */
    struct domain *domain[MAX_DOMAINS];
    uint64_t kicked;
    bool again;                 /* the hypercall asked to be made again */
    unsigned long args[4];
    unsigned int continuations; /* of the last hypercall */
    int asked;                  /* XSM, last: whether to put or get */
};
extern struct machine machine;

/* Begins anew, with these CPUs and Dom0 on the first. */
void machine_init(unsigned int cpus);

/* A CPU leaves the pool: its vCPUs move away, its memory is freed. And back. */
void machine_remove_cpu(unsigned int cpu);
void machine_add_cpu(unsigned int cpu);

/* A domain whose vCPUs all are runnable, on these CPUs in turn. */
struct domain *machine_domain(domid_t domid, unsigned int vcpus,
                              unsigned int first, unsigned int cpus);
void machine_destroy(struct domain *d);

/* To another scheduler's pool, and back. */
void machine_move_away(struct domain *d);
void machine_move_back(struct domain *d, unsigned int cpu);

/* Decides on a CPU until no decision is asked for. */
void machine_schedule(unsigned int cpu);
bool machine_runs(const struct domain *d, unsigned int cpu);

/* Lets time pass, with decisions when they are due and housekeeping. */
void machine_run(s_time_t time);

/* A hypercall by a domain, with all of its continuations; at most so many. */
long machine_call(struct domain *by, unsigned long cmd, unsigned long a1,
                  unsigned long a2, void *arg);
extern unsigned int machine_patience;

#endif /* VLIB_MACHINE_H */
