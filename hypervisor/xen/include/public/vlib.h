/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vlib_op: reservations, gates, calls, throttles, leases, counters.
 *
 *   long vlib_op(unsigned long cmd, unsigned long a1, unsigned long a2,
 *                void *arg, unsigned long a4)
 *
 * Times are nanoseconds of Xen's system time. Structures are the same for 32-
 * and 64-bit callers: fixed widths, padded, no pointers. Each begins with the
 * version of this interface, which the caller fills in.
 * docs/reference/hypercall.md describes every sub-operation with its arguments,
 * errors and permission.
 *
 * -ENOSYS: this hypervisor has no module.
 * -EOPNOTSUPP: this module has no such sub-operation.
 * -EBADMSG: the structure's version was not VLIB_ABI_VERSION, which it now is.
 */
#ifndef __XEN_PUBLIC_VLIB_H__
#define __XEN_PUBLIC_VLIB_H__

#define __HYPERVISOR_vlib_op        55 /* __HYPERVISOR_arch_7 */

#define VLIB_ABI_VERSION            4

/*
 * Sub-operations whose arguments are all values. The first three are for every
 * domain, about itself.
 */
#define VLIB_OP_version             0  /* -> VLIB_ABI_VERSION */
/* a1: port served, 0: none; a2: 1: signal it; arg: request served */
#define VLIB_OP_listen              1
#define VLIB_OP_complete            2
/*
 * a1: domid << 32 | the caller's port, a2: reservation, arg: timeout,
 * a4: request -> VLIB_BEGUN_*
 * VLIB_CALL_WAIT, in a2: the caller's vCPU waits until the call has ended, or
 * until it has an event. Since revision 4 of the module.
 */
#define VLIB_OP_call                3
#define VLIB_CALL_WAIT              (1U << 31)
/* a1, a2: as in call; arg: request, 0: all calls of the reservation */
#define VLIB_OP_cancel              4
/* a1: domid; a2: 0: take, arg: longest time -> number; a2: number to drop */
#define VLIB_OP_hold                5
#define VLIB_OP_lease               6  /* a1: time, 0: no lease */
#define VLIB_OP_charge              7  /* a1: reservation, a2: time */
#define VLIB_OP_finish              8  /* as cancel */

/* Sub-operations with a structure in arg. */
#define VLIB_OP_info                16 /* struct vlib_info */
#define VLIB_OP_reserve             17 /* struct vlib_reserve */
#define VLIB_OP_unreserve           18 /* struct vlib_reserve: id */
#define VLIB_OP_adopt               19 /* struct vlib_bind */
#define VLIB_OP_allow               20 /* struct vlib_bind */
#define VLIB_OP_domain              21 /* struct vlib_domctl */
#define VLIB_OP_throttle            22 /* struct vlib_throttle */
#define VLIB_OP_get_reservation     32 /* struct vlib_reservation_info */
#define VLIB_OP_get_domain          33 /* struct vlib_domain_info */
#define VLIB_OP_get_cpu             34 /* struct vlib_cpu_info */
#define VLIB_OP_get_counters        35 /* struct vlib_counters */
#define VLIB_OP_get_server          36 /* struct vlib_server_info */
#define VLIB_OP_get_use             37 /* struct vlib_use */

/* Limits. */
#define VLIB_MAX_RESERVATIONS       4096 /* and servers of all together */
#define VLIB_MAX_SERVERS            128  /* of one reservation */
#define VLIB_MIN_BUDGET             20000ULL        /* 20 us */
#define VLIB_MIN_PERIOD             200000ULL       /* 200 us */
#define VLIB_MAX_PERIOD             10000000000ULL  /* 10 s */
#define VLIB_MAX_CALLEES            64 /* domains one reservation may call */
#define VLIB_MAX_HOLDS              64 /* of one gate, at a time */
#define VLIB_MAX_TIMEOUT            3600000000000ULL /* 1 h */
#define VLIB_MAX_CALLS              2  /* under way on one reservation */

/* The result of a call. */
#define VLIB_BEGUN_active           0
#define VLIB_BEGUN_queued           1
#define VLIB_BEGUN_served           2  /* the server had already found it */

#define VLIB_FEATURE_host           (1U << 0) /* Dom0 is under sched=vlib */
#define VLIB_FEATURE_counters       (1U << 1) /* there are uncore counters */

struct vlib_info {
    uint32_t version;
    uint32_t features;
    uint32_t module;            /* revision of the module */
    uint32_t max_reservations;
    uint32_t reservations;      /* in use */
    uint32_t domains;           /* known to the module */
    uint32_t cpus;              /* driven by the scheduler */
    uint32_t counters;          /* VLIB_COUNTERS_* */
    uint64_t lease;             /* remaining time, 0: none runs */
    uint64_t leases_lost;
    uint64_t floor_budget;      /* reserved for control domains on each CPU */
    uint64_t floor_period;
    uint64_t slice;             /* of background time */
    uint64_t late;              /* how late a budget may end */
    uint64_t moves;             /* of vCPUs to other CPUs, by the module */
};

/*
 * Creates reservation id, or changes it. Each of its servers has C in every T.
 * vCPU v of a domain runs on server v modulo their number: on a server of its
 * own if there are as many as the domain has vCPUs, all on one if there is one.
 */
struct vlib_reserve {
    uint32_t version;
    uint32_t id;                /* 1 .. VLIB_MAX_RESERVATIONS - 1 */
    uint64_t budget;            /* C */
    uint64_t period;            /* T */
    /*
     * Out, with -ENOSPC: the CPU it does not fit on, the task that would miss.
     */
    uint32_t cpu;
    uint32_t misses;            /* reservation; 0: control domains' floor */
    uint64_t response;          /* the response time found for that task */
    uint32_t servers;           /* 1 .. VLIB_MAX_SERVERS */
    uint32_t server;            /* Out, with -ENOSPC: the one without a CPU */
};

/*
 * adopt: the domain always runs on the reservation; id 0: on none.
 * allow: the reservation may be charged for calls to the domain;
 * VLIB_BIND_remove: no longer.
 */
struct vlib_bind {
    uint32_t version;
    uint32_t id;
    uint32_t domid;
    uint32_t flags;
#define VLIB_BIND_remove            (1U << 0)
    uint32_t cpu;               /* Out, as in struct vlib_reserve */
    uint32_t misses;
    uint64_t response;
    uint32_t server;
    uint32_t pad;
};

struct vlib_domctl {
    uint32_t version;
    uint32_t domid;
    uint32_t set;               /* flags to set */
    uint32_t clear;             /* flags to clear */
#define VLIB_DOMAIN_listens         (1U << 0) /* it may listen */
#define VLIB_DOMAIN_stop_time       (1U << 1) /* its time stops while gated */
#define VLIB_DOMAIN_closed          (1U << 2) /* its gate is always closed */
/*
 * It cannot listen by hypercall: its gate is open while a call is active, and
 * the caller reports with VLIB_OP_finish that it has the answer.
 */
#define VLIB_DOMAIN_parks           (1U << 3)
#define VLIB_DOMAIN_critical        (1U << 4) /* the throttle spares it */
#define VLIB_DOMAIN_user_mode       (1U << 5) /* user mode may listen, too */
/* While it serves a call it has the cache class of its caller's domain. */
#define VLIB_DOMAIN_follows         (1U << 6)
};

/* Background time is denied for 'idle' in each period; 0: never. */
struct vlib_throttle {
    uint32_t version;
    uint32_t cpu;
    uint64_t period;
    uint64_t idle;
};

/* The cost of a reservation, or of one of its calls. */
struct vlib_cost {
    uint64_t foreground;        /* CPU time with budget */
    uint64_t background;        /* CPU time without */
    uint64_t throttled;         /* runnable, but denied background time */
    uint64_t deschedules;       /* taken off a CPU while runnable */
};

/*
 * The use of the third-level cache and of memory by the domain of a call, in
 * bytes, by the domain's monitoring ID.
 */
struct vlib_memory {
    uint32_t known;             /* VLIB_MEMORY_*; the other field is 0 */
#define VLIB_MEMORY_occupied        (1U << 0)
#define VLIB_MEMORY_moved           (1U << 1)
    uint32_t pad;
    uint64_t occupied;          /* of the cache, when the call ended */
    uint64_t moved;             /* between cache and memory, during it */
};

/* Of all its servers together, but for budget and period. */
struct vlib_reservation_info {
    uint32_t version;
    uint32_t id;
    uint64_t budget;
    uint64_t period;
    int64_t left;               /* budget now; below 0: overrun, carried over */
    uint64_t next;              /* time until the next refill */
    uint32_t refills;           /* entries in the refill lists */
    uint32_t domid;             /* runs on it, or VLIB_NO_DOMAIN */
#define VLIB_NO_DOMAIN              0xffffffffU
    uint32_t call;              /* VLIB_CALL_* */
#define VLIB_CALL_none              0
#define VLIB_CALL_queued            1
#define VLIB_CALL_active            2
#define VLIB_CALL_done              3
#define VLIB_CALL_cancelled         4
#define VLIB_CALL_timeout           5
#define VLIB_CALL_gone              6 /* the domain is gone */
    uint32_t unadmitted;        /* CPUs of its vCPUs without admission */
    struct vlib_cost total;
    /* The most recent call, for a request of the caller's port. */
    uint64_t calls;             /* number of calls so far */
    uint64_t request;
    uint32_t port;
    uint32_t servers;
    uint64_t queued;            /* time before it was active */
    uint64_t wall;              /* time since then, or until its end */
    struct vlib_cost cost;
    struct vlib_memory memory;  /* all 0 before its end */
};

struct vlib_server_info {
    uint32_t version;
    uint32_t id;                /* of the reservation */
    uint32_t server;
    uint32_t vcpus;             /* that run on it */
    uint32_t cpu;               /* of the first of them, or VLIB_NO_CPU */
#define VLIB_NO_CPU                 0xffffffffU
    uint32_t unadmitted;        /* CPUs of its vCPUs without admission */
    int64_t left;
    uint64_t next;
    struct vlib_cost total;
};

struct vlib_domain_info {
    uint32_t version;
    uint32_t domid;
    uint32_t flags;             /* VLIB_DOMAIN_* */
    uint32_t open;              /* 1: the gate is open */
    uint32_t listening;
    uint32_t reservation;       /* it runs on; 0: none */
    uint32_t queued;            /* calls that wait */
    uint32_t holds;
    uint32_t active;            /* 1: a call is active */
    uint32_t busy;              /* reservation of a call given up; 0: none */
    uint64_t stopped;           /* time for which its clock was stopped */
    uint64_t calls;             /* completed */
    struct vlib_cost total;
};

/*
 * The use of CPU time by a domain's vCPUs since they came under this scheduler.
 * The domain need not be known to the module.
 */
struct vlib_use {
    uint32_t version;
    uint32_t domid;
    uint32_t vcpus;             /* under this scheduler now */
    uint32_t pad;
    uint64_t waited;            /* runnable, not running, the gate open */
    struct vlib_cost total;
};

struct vlib_cpu_info {
    uint32_t version;
    uint32_t cpu;
    uint64_t foreground;        /* CPU time since the CPU joined */
    uint64_t background;
    uint64_t idle;
    uint64_t denied;            /* background time denied, of idle */
    uint64_t decisions;
    uint64_t remote;            /* decisions requested by other CPUs */
    uint64_t period;            /* of the throttle */
    uint64_t throttle;
    uint64_t admitted;          /* sum of C / T, in millionths, with floor */
    uint64_t overrun;           /* largest overrun since this was read */
    uint64_t worst;             /* largest overrun since the CPU joined */
};

/*
 * Average memory latency = occupancy / requests, in cycles of the unit that
 * counts, between two readings. Both wrap at 2^width.
 */
struct vlib_counters {
    uint32_t version;
    uint32_t cpu;               /* its package and its cache misses */
    uint32_t kind;
#define VLIB_COUNTERS_none          0
#define VLIB_COUNTERS_intel_arb     1
#define VLIB_COUNTERS_intel_cha     2
#define VLIB_COUNTERS_amd_l3        3
    uint32_t width;             /* bits; 0: none */
    uint64_t time;
    uint64_t requests;
    uint64_t occupancy;
    uint64_t misses;            /* of this CPU in the last-level cache */
    uint32_t misses_width;      /* bits; 0: not counted */
    uint32_t pad;
};

#endif /* __XEN_PUBLIC_VLIB_H__ */
