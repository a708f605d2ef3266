/* SPDX-License-Identifier: GPL-2.0-only */
/* Xen's interface to call.c, request.c, listen.c and gate.c, beyond stubs.h. */
#ifndef VLIB_CALLS_H
#define VLIB_CALLS_H

#include <errno.h>
#include <limits.h>

#include "stubs.h"
#include <public/vlib.h>

typedef uint16_t domid_t;
typedef unsigned int evtchn_port_t;

#define likely(x) (x)
#define MAX_PORT 64

struct domain;

struct evtchn {
    unsigned int state;
    struct {
        struct {
            struct domain *remote_dom;
            evtchn_port_t remote_port;
        } interdomain;
    } u;
};

#define ECS_INTERDOMAIN 1

struct vcpu {
    struct domain *domain;
    bool blocked;
};

struct domain {
    struct vcpu vcpu;
    domid_t domain_id;
    bool is_dying, is_shutting_down;
    int event_lock;
    struct evtchn port[MAX_PORT];
    bool pending[MAX_PORT];     /* at this end */
};

#define read_lock(l) ((void)(l))
#define read_unlock(l) ((void)(l))
#define port_is_valid(d, p) ((p) < MAX_PORT)
#define evtchn_from_port(d, p) (&(d)->port[p])

extern struct domain *hardware_domain;
extern struct domain *current_domain;
#define current (&current_domain->vcpu)
#define vcpu_block() (current->blocked = true)
#define vcpu_unblock(v) ((v)->blocked = false)

struct domain *rcu_lock_domain_by_id(domid_t domid);
#define rcu_unlock_domain(d) ((void)(d))
int evtchn_send(struct domain *d, evtchn_port_t port);

extern s_time_t system_time;
#define NOW() system_time

#define spin_lock_irqsave(l, flags) ((flags) = 0, spin_lock(l))
#define spin_unlock_irqrestore(l, flags) ((void)(flags), spin_unlock(l))

#define list_move_tail(n, l) (list_del_init(n), list_add_tail(n, l))
#define rcu_read_lock(l) ((void)(l))
#define rcu_read_unlock(l) ((void)(l))
#define sched_res_rculock (*(int *)0)

/* A domain's vCPU in these tests is never runnable. */
#define unit_schedule_lock_irqsave(u, f) ((void)(u), *(f) = 0, (spinlock_t *)0)
#define unit_schedule_unlock_irqrestore(l, f, u) \
    ((void)(l), (void)(f), (void)(u))
#define unit_runnable(u) ((void)(u), false)
#define sched_unit_master(u) ((void)(u), 0)
#define curr_on_cpu(cpu) ((void)(cpu), (struct sched_unit *)0)

/* LISTEN is repeated when its gate opens. */
#define CONTINUED (-1000)
#define hypercall_create_continuation(...) CONTINUED

#endif /* VLIB_CALLS_H */
