/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The servers of a reservation. Each is an account of its own to the
 * runqueues, which know nothing of reservations: vCPU v of a domain runs on
 * server v modulo their number. So with one server all vCPUs share it; with as
 * many servers as vCPUs each vCPU has its own, on its own CPU.
 */
#include "module.h"

static unsigned int servers; /* of all reservations */

struct vlib_account *vlib_server_of(const struct vlib_reservation *r,
                                    const struct vlib_unit *vu)
{
    return r ? r->server[vlib_server_number(vu, r->nr_servers)] : NULL;
}

/* All have the same values. */
const struct vlib_server *vlib_values(const struct vlib_reservation *r)
{
    return &r->server[0]->server;
}

bool vlib_servers_left(unsigned int before, unsigned int number)
{
    return servers - before + number < VLIB_MAX_RESERVATIONS;
}

/* Makes servers up to this number; 0 or -ENOMEM, and then nothing is done. */
int vlib_servers_add(struct vlib_reservation *r, unsigned int number,
                     s_time_t budget, s_time_t period)
{
    unsigned int i;

    for ( i = r->nr_servers; i < number; i++ )
    {
        r->server[i] = xzalloc(struct vlib_account);
        if ( !r->server[i] )
            break;
        vlib_account_init(r->server[i], r->id, budget, period, NOW());
    }
    if ( i < number )
    {
        while ( i-- > r->nr_servers )
            xfree(r->server[i]);
        return -ENOMEM;
    }
    if ( number > r->nr_servers )
    {
        servers += number - r->nr_servers;
        r->nr_servers = number;
    }
    return 0;
}

/* Removes those beyond this number, on which nothing runs any more. */
void vlib_servers_trim(struct vlib_reservation *r, unsigned int number)
{
    while ( r->nr_servers > number )
    {
        struct vlib_account *a = r->server[--r->nr_servers];

        spin_lock_irq(&a->lock);
        vlib_usage_add(&r->past, &a->usage);
        spin_unlock_irq(&a->lock);
        servers--;
        xfree(a);
    }
}

struct vlib_usage vlib_reservation_usage(const struct vlib_reservation *r)
{
    struct vlib_usage usage = r->past;
    unsigned int i;

    for ( i = 0; i < r->nr_servers; i++ )
    {
        struct vlib_account *a = r->server[i];
        unsigned long flags;

        spin_lock_irqsave(&a->lock, flags);
        vlib_usage_add(&usage, &a->usage);
        spin_unlock_irqrestore(&a->lock, flags);
    }
    return usage;
}

static cpumask_t needs[VLIB_MAX_SERVERS];
static unsigned int needed; /* servers */

static void need(struct vlib_unit *vu)
{
    cpumask_set_cpu(vlib_unit_place(vu),
                    &needs[vlib_server_number(vu, needed)]);
}

/* The CPUs that each server needs: where its vCPUs are. */
const cpumask_t *vlib_reservation_needs(const struct vlib_reservation *r)
{
    unsigned int i;

    needed = r->nr_servers;
    for ( i = 0; i < needed; i++ )
        cpumask_clear(&needs[i]);
    vlib_each_user(r, NULL, need);
    return needs;
}

/* The number of CPUs that a server needs, and where it is not admitted. */
static unsigned int unadmitted(const struct vlib_reservation *r,
                               const cpumask_t *all, unsigned int i)
{
    cpumask_t cpus;

    cpumask_andnot(&cpus, &all[i], &r->server[i]->admitted);
    return cpumask_weight(&cpus);
}

/* The domain whose vCPUs run on it now, or would; or NULL. */
static struct vlib_domain *brought_up_to_date(const struct vlib_reservation *r)
{
    struct vlib_domain *vd = vlib_call_runs(r) ?: r->adopted;

    if ( vd )
        vlib_domain_charge(vd, NOW());
    return vd;
}

/* Adds a server's state to that of all. */
static void add_server(struct vlib_reservation_info *op,
                       struct vlib_account *a, s_time_t now)
{
    spin_lock_irq(&a->lock);
    op->left += vlib_server_left(&a->server, now);
    op->next = min(op->next, (uint64_t)max(vlib_server_next(&a->server) - now,
                                           (s_time_t)0));
    op->refills += a->server.count;
    spin_unlock_irq(&a->lock);
}

int vlib_reservation_info(struct vlib_reservation_info *op)
{
    struct vlib_reservation *r = vlib_reservation_find(op->id);
    const struct vlib_call *c;
    struct vlib_usage usage, call;
    struct vlib_domain *vd;
    const cpumask_t *all;
    unsigned int i;
    s_time_t now;

    if ( !r )
        return -ENOENT;
    c = r->last;
    vd = brought_up_to_date(r);
    memset(op, 0, sizeof(*op));
    op->version = VLIB_ABI_VERSION;
    op->id = r->id;
    op->servers = r->nr_servers;
    op->domid = vd ? vd->domid : VLIB_NO_DOMAIN;
    op->call = c->state;
    op->calls = r->count;
    op->request = c->request;
    op->port = c->caller_port;
    op->budget = vlib_values(r)->budget;
    op->period = vlib_values(r)->period;
    op->next = ~0ULL;
    now = NOW();
    all = vlib_reservation_needs(r);
    for ( i = 0; i < r->nr_servers; i++ )
    {
        op->unadmitted += unadmitted(r, all, i);
        add_server(op, r->server[i], now);
    }
    usage = vlib_reservation_usage(r);
    op->total = vlib_cost(&usage);
    call = c->state == VLIB_CALL_active ? vlib_usage_since(&usage, &c->before)
                                        : c->cost;
    op->cost = vlib_cost(&call);
    if ( c->state == VLIB_CALL_queued )
        op->queued = now - c->queued;
    else if ( c->state )
    {
        op->queued = c->started - c->queued;
        op->wall = (c->domain ? now : c->ended) - c->started;
    }
    if ( !c->domain )
        op->memory = c->memory;
    return 0;
}

int vlib_server_info(struct vlib_server_info *op)
{
    struct vlib_reservation *r = vlib_reservation_find(op->id);
    unsigned int i = op->server;
    struct vlib_account *a;
    struct vlib_domain *vd;
    struct vlib_unit *vu;
    s_time_t now;

    if ( !r )
        return -ENOENT;
    if ( i >= r->nr_servers )
        return -EINVAL;
    a = r->server[i];
    vd = brought_up_to_date(r);
    memset(op, 0, sizeof(*op));
    op->version = VLIB_ABI_VERSION;
    op->id = r->id;
    op->server = i;
    op->cpu = VLIB_NO_CPU;
    if ( vd )
        list_for_each_entry ( vu, &vd->units, list )
            if ( vlib_server_number(vu, r->nr_servers) == i && !op->vcpus++ )
                op->cpu = vlib_unit_place(vu);
    op->unadmitted = unadmitted(r, vlib_reservation_needs(r), i);
    spin_lock_irq(&a->lock);
    now = NOW();
    op->left = vlib_server_left(&a->server, now);
    op->next = max(vlib_server_next(&a->server) - now, (s_time_t)0);
    op->total = vlib_cost(&a->usage);
    spin_unlock_irq(&a->lock);
    return 0;
}
