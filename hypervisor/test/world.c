/* SPDX-License-Identifier: GPL-2.0-only */
#include "world.h"

struct world world;
s_time_t system_time;
struct domain *hardware_domain = &world.dom0, *current_domain;
spinlock_t vlib_lock;
bool vlib_lease_lost;
LIST_HEAD(vlib_domains);
unsigned int vlib_nr_domains = 1;

struct domain *rcu_lock_domain_by_id(domid_t domid)
{
    return domid == DOMAIN ? &world.guest : NULL;
}

int evtchn_send(struct domain *d, evtchn_port_t port)
{
    struct evtchn *e = &d->port[port];

    assert(!vlib_lock);
    e->u.interdomain.remote_dom->pending[e->u.interdomain.remote_port] = true;
    return 0;
}

int vlib_may_control(struct domain *d, bool change)
{
    return d && change ? 0 : -EPERM;
}

struct vlib_domain *vlib_domain_named(domid_t domid,
                                      const struct vlib_domain *after)
{
    return domid == DOMAIN && !after ? &world.vd : NULL;
}

struct vlib_domain *vlib_domain_find(const struct domain *d)
{
    return d == &world.guest ? &world.vd : NULL;
}

void vlib_domain_attach(struct vlib_domain *vd, struct vlib_reservation *r,
                        s_time_t now)
{
    assert(vd == &world.vd && now == system_time);
    world.charged = r;
}

void vlib_domain_settle(struct vlib_domain *vd, s_time_t now)
{
    assert(now == system_time);
    if ( !vd->unsettled || !vd->open )
        return;
    vd->unsettled = false;
    world.charged = vd->active ? vd->active->reservation : NULL;
}

void vlib_domain_charge(struct vlib_domain *vd, s_time_t now)
{
    assert(vd == &world.vd && now == system_time);
}

struct vlib_reservation *vlib_reservation_find(unsigned long id)
{
    return id > 0 && id <= CLIENTS ? &world.r[id - 1] : NULL;
}

bool vlib_reservation_allows(const struct vlib_reservation *r,
                             const struct vlib_domain *vd)
{
    return r && vd;
}

struct vlib_usage vlib_reservation_usage(const struct vlib_reservation *r)
{
    return r->server[0]->usage;
}

void vlib_monitor_begin(struct vlib_call *c)
{
    assert(c->state == VLIB_CALL_active && world.vd.active == c);
}

void vlib_monitor_end(struct vlib_call *c)
{
    assert(c->state == VLIB_CALL_active && world.vd.active == c);
}

void vlib_housekeeping_by(s_time_t when)
{
    world.timer = min(world.timer, when);
}

void vlib_clock_stop(domid_t domid, s_time_t time)
{
    assert(domid == DOMAIN && time >= 0);
}

void vlib_unit_start(struct vlib_unit *vu)
{
    assert(vu);
}

void vlib_unit_stop(struct vlib_unit *vu)
{
    assert(vu);
}

static void connect(evtchn_port_t here, evtchn_port_t there)
{
    world.dom0.port[here] = (struct evtchn){
        .state = ECS_INTERDOMAIN,
        .u.interdomain = { &world.guest, there },
    };
    world.guest.port[there] = (struct evtchn){
        .state = ECS_INTERDOMAIN,
        .u.interdomain = { &world.dom0, here },
    };
}

void world_init(void)
{
    unsigned int c;

    /* The module's own lists survive a world. */
    for ( c = 0; c < CLIENTS; c++ )
        if ( world.r[c].last )
            vlib_call_stop(&world.r[c], VLIB_CALL_cancelled);
    if ( world.vd.gate.next )
        vlib_gate_remove(&world.vd);
    memset(&world, 0, sizeof(world));
    system_time += SECOND;
    world.timer = VLIB_NEVER;
    world.guest.domain_id = DOMAIN;
    world.dom0.vcpu.domain = &world.dom0;
    world.guest.vcpu.domain = &world.guest;
    world.vd.domain = &world.guest;
    world.vd.domid = DOMAIN;
    world.vd.flags = VLIB_DOMAIN_listens;
    world.vd.open = true;
    INIT_LIST_HEAD(&world.vd.units);
    list_add_tail(&world.unit.list, &world.vd.units);
    INIT_LIST_HEAD(&world.vd.queue);
    INIT_LIST_HEAD(&world.vd.busy);
    vlib_gate_insert(&world.vd);
    INIT_LIST_HEAD(&vlib_domains);
    list_add_tail(&world.vd.list, &vlib_domains);
    for ( c = 0; c < CLIENTS; c++ )
    {
        world.r[c].id = c + 1;
        world.r[c].nr_servers = 1;
        world.r[c].server[0] = &world.account[c];
        vlib_call_init(&world.r[c]);
        connect(HERE(c), THERE(c));
    }
}

void world_run(s_time_t time)
{
    s_time_t end = system_time + time;

    while ( system_time < end )
    {
        s_time_t step = min(end, max(world.timer, system_time)) -
                        system_time;

        if ( world.vd.open && world.charged )
            world.charged->server[0]->usage.foreground += step;
        system_time += step;
        if ( world.timer > system_time )
            continue;
        spin_lock(&vlib_lock);
        world.timer = vlib_call_expire(system_time);
        spin_unlock(&vlib_lock);
        vlib_call_signal();
    }
}

long world_call(unsigned int c, uint64_t request, s_time_t timeout)
{
    current_domain = &world.dom0;
    return vlib_call(DOMAIN, HERE(c), c + 1, timeout, request);
}

long world_cancel(unsigned int c, uint64_t request)
{
    return vlib_cancel(DOMAIN, HERE(c), c + 1, request);
}

long world_finish(unsigned int c, uint64_t request)
{
    return vlib_finish(DOMAIN, HERE(c), c + 1, request);
}

long world_listen(unsigned int port, uint64_t request)
{
    current_domain = &world.guest;
    return vlib_listen(port, 0, request);
}

long world_resume(void)
{
    current_domain = &world.guest;
    return vlib_listen(0, 2, 0);
}

long world_complete(unsigned int port, uint64_t request)
{
    current_domain = &world.guest;
    return vlib_complete(port, 0, request);
}

unsigned int world_state(unsigned int c, uint64_t request)
{
    unsigned int state = VLIB_CALL_none, i;

    for ( i = 0; i < VLIB_MAX_CALLS; i++ )
        if ( world.r[c].calls[i].request == request &&
             (!state || world.r[c].calls[i].domain) )
            state = world.r[c].calls[i].state;
    return state;
}
