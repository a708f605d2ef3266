/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypercall: checks permission, copies arguments, dispatches. */
#include <xen/guest_access.h>
#include <xen/nospec.h>

#include "module.h"

#define MODULE_REVISION 4

union vlib_arg {
    uint32_t version;
    struct vlib_info info;
    struct vlib_reserve reserve;
    struct vlib_bind bind;
    struct vlib_domctl domain;
    struct vlib_throttle throttle;
    struct vlib_reservation_info reservation_info;
    struct vlib_server_info server_info;
    struct vlib_domain_info domain_info;
    struct vlib_cpu_info cpu_info;
    struct vlib_counters counters;
    struct vlib_use use;
};

static int info(struct vlib_info *op)
{
    unsigned int cpu;

    memset(op, 0, sizeof(*op));
    op->version = VLIB_ABI_VERSION;
    op->module = MODULE_REVISION;
    op->max_reservations = VLIB_MAX_RESERVATIONS;
    op->reservations = vlib_nr_reservations;
    op->counters = vlib_counters_kind();
    if ( op->counters )
        op->features |= VLIB_FEATURE_counters;
    if ( vlib_is_ours(scheduler_get_default()) )
        op->features |= VLIB_FEATURE_host;
    op->domains = vlib_nr_domains;
    rcu_read_lock(&sched_res_rculock);
    for_each_online_cpu ( cpu )
        if ( vlib_drives(cpu) )
            op->cpus++;
    rcu_read_unlock(&sched_res_rculock);
    op->lease = vlib_lease_left();
    op->leases_lost = vlib_leases_lost();
    op->floor_budget = VLIB_FLOOR_BUDGET;
    op->floor_period = VLIB_FLOOR_PERIOD;
    op->slice = VLIB_SLICE;
    op->late = vlib_late();
    op->moves = vlib_nr_moves();
    return 0;
}

static int domain_info(struct vlib_domain_info *op, struct domain *d)
{
    struct vlib_domain *vd = vlib_domain_find(d);
    struct vlib_usage usage;
    uint64_t waited;

    if ( !vd )
        return -ENXIO;
    memset(op, 0, sizeof(*op));
    op->version = VLIB_ABI_VERSION;
    op->domid = vd->domid;
    op->flags = vd->flags;
    op->open = vd->open;
    op->listening = vd->listening;
    if ( vd->active )
        op->reservation = vd->active->reservation->id;
    else if ( vd->adopter )
        op->reservation = vd->adopter->id;
    op->queued = vd->queued;
    op->holds = vd->holds;
    op->active = !!vd->active;
    op->busy = vd->abandoned;
    op->stopped = vlib_clock_stopped(vd->domid);
    op->calls = vd->calls;
    vlib_domain_usage(d, &usage, &waited);
    op->total = vlib_cost(&usage);
    return 0;
}

static int domain_use(struct vlib_use *op, const struct domain *d)
{
    struct vlib_usage usage;

    op->pad = 0;
    op->vcpus = vlib_domain_usage(d, &usage, &op->waited);
    op->total = vlib_cost(&usage);
    return op->vcpus ? 0 : -EXDEV;
}

static int domain_flags(const struct vlib_domctl *op, struct domain *d)
{
    const uint32_t known = VLIB_DOMAIN_listens | VLIB_DOMAIN_stop_time |
                           VLIB_DOMAIN_closed | VLIB_DOMAIN_parks |
                           VLIB_DOMAIN_critical | VLIB_DOMAIN_user_mode |
                           VLIB_DOMAIN_follows;
    struct vlib_domain *vd;
    uint32_t before;
    int rc;

    if ( ((op->set | op->clear) & ~known) || (op->set & op->clear) )
        return -EINVAL;
    /* A gate needs this scheduler; and Dom0 must always be able to undo. */
    if ( d->is_privileged )
        return -EPERM;
    if ( op->set && !vlib_domain_here(d) )
        return -EXDEV;
    rc = op->set & VLIB_DOMAIN_follows ? vlib_class_may_follow() : 0;
    if ( !rc && (op->set & VLIB_DOMAIN_stop_time) )
        rc = vlib_clock_init();
    rc = rc ?: vlib_domain_make(d, &vd);
    if ( rc )
        return rc;
    before = vd->flags;
    vd->flags = (vd->flags | op->set) & ~op->clear;
    if ( !(vd->flags & VLIB_DOMAIN_listens) )
        vd->listening = false;
    /*
     * A server that listens in a new way will not report the end of an old
     * call.
     */
    if ( (before ^ vd->flags) & (VLIB_DOMAIN_listens | VLIB_DOMAIN_parks) )
        vlib_call_free(vd);
    if ( (before ^ vd->flags) & VLIB_DOMAIN_critical )
        vlib_domain_spare(vd);
    if ( (before ^ vd->flags) & VLIB_DOMAIN_follows )
        vd->unsettled = true;
    vlib_call_resume(vd);
    return 0;
}

static int cpu_info(struct vlib_cpu_info *op)
{
    unsigned int cpu = op->cpu;
    struct vlib_runqueue *q;
    spinlock_t *lock;

    if ( cpu >= nr_cpu_ids || !cpu_online(cpu) )
        return -ENODEV;
    rcu_read_lock(&sched_res_rculock);
    lock = pcpu_schedule_lock_irq(cpu);
    q = vlib_runqueue(cpu);
    if ( q )
    {
        vlib_charge(q, NOW());
        memset(op, 0, sizeof(*op));
        op->version = VLIB_ABI_VERSION;
        op->cpu = cpu;
        op->foreground = q->foreground_time;
        op->background = q->background_time;
        op->idle = q->idle_time;
        op->denied = q->denied_clock;
        op->decisions = q->decisions;
        op->remote = q->remote;
        op->period = q->period;
        op->throttle = q->idle;
        op->overrun = q->overrun;
        op->worst = q->worst;
        q->overrun = 0;
    }
    pcpu_schedule_unlock_irq(lock, cpu);
    if ( q )
        op->admitted = vlib_admitted(cpu);
    rcu_read_unlock(&sched_res_rculock);
    return q ? 0 : -EXDEV;
}

/* Sub-operations on the host, under vlib_lock. */
static int host_op(unsigned long cmd, union vlib_arg *u)
{
    switch ( cmd )
    {
    case VLIB_OP_info:
        return info(&u->info);
    case VLIB_OP_reserve:
        return vlib_reservation_set(&u->reserve);
    case VLIB_OP_unreserve:
        return vlib_reservation_remove(u->reserve.id);
    case VLIB_OP_throttle:
        return vlib_throttle_set(&u->throttle);
    case VLIB_OP_get_reservation:
        return vlib_reservation_info(&u->reservation_info);
    case VLIB_OP_get_server:
        return vlib_server_info(&u->server_info);
    case VLIB_OP_get_cpu:
        return cpu_info(&u->cpu_info);
    default:
        return -EOPNOTSUPP;
    }
}

static int domain_op(unsigned long cmd, union vlib_arg *u, struct domain *d)
{
    switch ( cmd )
    {
    case VLIB_OP_adopt:
        return vlib_reservation_adopt(&u->bind, d);
    case VLIB_OP_allow:
        return vlib_reservation_allow(&u->bind, d);
    case VLIB_OP_domain:
        return domain_flags(&u->domain, d);
    case VLIB_OP_get_domain:
        return domain_info(&u->domain_info, d);
    case VLIB_OP_get_use:
        return domain_use(&u->use, d);
    default:
        return -EOPNOTSUPP;
    }
}

static const struct {
    uint8_t size;
    uint8_t domid;  /* offset of the domain's number; 0: host */
    bool changes;   /* false: it only reads */
} shapes[] = {
#define HOST(op, type, changes) \
    [VLIB_OP_##op] = { sizeof(struct type), 0, changes }
#define DOMAIN(op, type, changes) \
    [VLIB_OP_##op] = { sizeof(struct type), offsetof(struct type, domid), \
                       changes }
    HOST(info, vlib_info, false),
    HOST(reserve, vlib_reserve, true),
    HOST(unreserve, vlib_reserve, true),
    DOMAIN(adopt, vlib_bind, true),
    DOMAIN(allow, vlib_bind, true),
    DOMAIN(domain, vlib_domctl, true),
    HOST(throttle, vlib_throttle, true),
    HOST(get_reservation, vlib_reservation_info, false),
    DOMAIN(get_domain, vlib_domain_info, false),
    HOST(get_cpu, vlib_cpu_info, false),
    HOST(get_counters, vlib_counters, false),
    HOST(get_server, vlib_server_info, false),
    DOMAIN(get_use, vlib_use, false),
#undef HOST
#undef DOMAIN
};

static long structured(unsigned long cmd, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct domain *d = NULL;
    union vlib_arg u;
    uint32_t domid;
    long rc;

    if ( cmd >= ARRAY_SIZE(shapes) )
        return -EOPNOTSUPP;
    cmd = array_index_nospec(cmd, ARRAY_SIZE(shapes));
    if ( !shapes[cmd].size )
        return -EOPNOTSUPP;
    BUILD_BUG_ON(sizeof(u) > UINT8_MAX);
    rc = shapes[cmd].domid ? 0 : vlib_may_control_host(shapes[cmd].changes);
    if ( rc )
        return rc;
    if ( raw_copy_from_guest(&u, arg.p, shapes[cmd].size) )
        return -EFAULT;
    if ( u.version != VLIB_ABI_VERSION )
    {
        /* So that the caller can report both versions. */
        u.version = VLIB_ABI_VERSION;
        return raw_copy_to_guest(arg.p, &u, sizeof(u.version)) ? -EFAULT
                                                               : -EBADMSG;
    }
    if ( shapes[cmd].domid )
    {
        memcpy(&domid, (char *)&u + shapes[cmd].domid, sizeof(domid));
        if ( domid >= DOMID_FIRST_RESERVED )
            return -ESRCH;
        d = rcu_lock_domain_by_id(domid);
        if ( !d )
            return -ESRCH;
        rc = vlib_may_control(d, shapes[cmd].changes);
        if ( !rc && d->is_dying )
            rc = -ENOTCONN;
    }
    if ( !rc && cmd == VLIB_OP_get_counters )
        rc = vlib_counters_read(&u.counters);
    else if ( !rc )
    {
        /* Excludes destruction. A move to another pool may happen meanwhile. */
        if ( !domctl_lock_acquire() )
        {
            if ( d )
                rcu_unlock_domain(d);
            return hypercall_create_continuation(__HYPERVISOR_vlib_op, "lllh",
                                                 cmd, 0UL, 0UL, arg);
        }
        spin_lock(&vlib_lock);
        if ( vlib_leaving && shapes[cmd].changes )
            rc = -ENOSYS;
        else
            rc = d ? domain_op(cmd, &u, d) : host_op(cmd, &u);
        spin_unlock(&vlib_lock);
        domctl_lock_release();
        vlib_call_signal();
        vlib_moves();
    }
    if ( d )
        rcu_unlock_domain(d);
    if ( rc == -ERESTART ) /* more to do, in another critical section */
        return hypercall_create_continuation(__HYPERVISOR_vlib_op, "lllh", cmd,
                                             0UL, 0UL, arg);
    if ( (!rc || rc == -ENOSPC) &&
         raw_copy_to_guest(arg.p, &u, shapes[cmd].size) )
        rc = -EFAULT;
    return rc;
}

/*
 * Whether a charge is at most one period, and this charge and earlier ones
 * delay the next refill by at most an hour.
 */
static bool chargeable(struct vlib_account *a, s_time_t time)
{
    const struct vlib_server *s = &a->server;
    bool ok;

    spin_lock_irq(&a->lock);
    ok = time >= 0 && time <= s->period &&
         time / s->budget <= VLIB_MAX_TIMEOUT / s->period &&
         vlib_server_next(s) <= NOW() + VLIB_MAX_TIMEOUT;
    spin_unlock_irq(&a->lock);
    return ok;
}

/* Charges CPU time that a thread of Dom0 has used, to the first server. */
static long charge(unsigned long id, s_time_t time)
{
    struct vlib_reservation *r;
    long rc = 0;

    spin_lock(&vlib_lock);
    r = vlib_reservation_find(id);
    if ( !r )
        rc = -ENOENT;
    else if ( !chargeable(r->server[0], time) )
        rc = -ERANGE;
    else
    {
        unsigned long flags;

        local_irq_save(flags);
        vlib_account_charge(r->server[0], time, NOW());
        local_irq_restore(flags);
    }
    spin_unlock(&vlib_lock);
    return rc;
}

/* Sub-operations on the host whose arguments are values. */
static long value_op(unsigned long cmd, unsigned long a1, unsigned long a2,
                     unsigned long a3)
{
    long rc = vlib_may_control_host(true);

    if ( rc )
        return rc;
    switch ( cmd )
    {
    case VLIB_OP_cancel:
        return vlib_cancel(a1 >> 32, (uint32_t)a1, a2, a3);
    case VLIB_OP_lease:
        return vlib_lease_renew(a1);
    case VLIB_OP_charge:
        return charge(a1, a2);
    case VLIB_OP_finish:
        return vlib_finish(a1 >> 32, (uint32_t)a1, a2, a3);
    }
    ASSERT_UNREACHABLE();
    return -EOPNOTSUPP;
}

long do_vlib_op(unsigned long cmd, unsigned long a1, unsigned long a2,
                XEN_GUEST_HANDLE_PARAM(void) arg, unsigned long a4)
{
    unsigned long a3 = (unsigned long)arg.p;

    switch ( cmd )
    {
    case VLIB_OP_version:
        return VLIB_ABI_VERSION;
    case VLIB_OP_listen:
        return vlib_listen(a1, a2, a3);
    case VLIB_OP_complete:
        return vlib_complete(a1, a2, a3);
    case VLIB_OP_call:
        if ( a1 >> 32 >= DOMID_FIRST_RESERVED )
            return -ESRCH;
        return vlib_call(a1 >> 32, (uint32_t)a1, a2, a3, a4);
    case VLIB_OP_hold:
        if ( a1 >= DOMID_FIRST_RESERVED )
            return -ESRCH;
        return vlib_hold(a1, a2, a3);
    case VLIB_OP_cancel:
    case VLIB_OP_lease:
    case VLIB_OP_charge:
    case VLIB_OP_finish:
        return value_op(cmd, a1, a2, a3);
    default:
        return structured(cmd, arg);
    }
}
