/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain with a server, and clients in Dom0, around the module's calls.
 * Client c has port c + 1 in Dom0, port c + 11 in the guest, and reservation c
 * + 1.
 */
#ifndef VLIB_WORLD_H
#define VLIB_WORLD_H

#include "../xen/common/sched/vlib/module.h"

#define CLIENTS 3
#define HERE(c) ((c) + 1)
#define THERE(c) ((c) + 11)
#define DOMAIN 1
#define SECOND 1000000000LL

struct world {
    struct domain dom0, guest;
    struct vlib_domain vd;
    struct vlib_unit unit;
    struct vlib_reservation r[CLIENTS];
    struct vlib_account account[CLIENTS];
    struct vlib_reservation *charged; /* for what the domain runs */
    s_time_t timer;             /* the module's */
};

extern struct world world;

void world_init(void);

/* Time passes. The domain runs and is charged while its gate is open. */
void world_run(s_time_t time);

/* The hypercalls, each by the right domain. */
long world_call(unsigned int c, uint64_t request, s_time_t timeout);
long world_cancel(unsigned int c, uint64_t request);
long world_finish(unsigned int c, uint64_t request);
long world_listen(unsigned int port, uint64_t request);
long world_resume(void);        /* LISTEN whose gate was closed */
long world_complete(unsigned int port, uint64_t request);

/* The state of a client's request; VLIB_CALL_none: it is not known any more. */
unsigned int world_state(unsigned int c, uint64_t request);

#endif /* VLIB_WORLD_H */
