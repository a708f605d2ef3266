/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module as a whole: permissions, CPUs and domains that disappear while
 * the module knows them, gates and their holds. Reading a runqueue without its
 * lock, or after it was freed, ends the test.
 */
#include "check.h"
#include "locks.h"
#include "machine.h"
#include "several.h"

#define MS 1000000LL
#define VERSION .version = VLIB_ABI_VERSION

static struct domain *dom0;

static long reserve(unsigned int id, s_time_t budget, s_time_t period)
{
    struct vlib_reserve op = { VERSION, .id = id, .budget = budget,
                               .period = period, .servers = 1 };

    return machine_call(dom0, VLIB_OP_reserve, 0, 0, &op);
}

static long bind(unsigned long cmd, unsigned int id, domid_t domid)
{
    struct vlib_bind op = { VERSION, .id = id, .domid = domid };

    return machine_call(dom0, cmd, 0, 0, &op);
}

static long flags(domid_t domid, uint32_t set, uint32_t clear)
{
    struct vlib_domctl op = { VERSION, .domid = domid, .set = set,
                              .clear = clear };

    return machine_call(dom0, VLIB_OP_domain, 0, 0, &op);
}

static struct vlib_domain_info info(domid_t domid)
{
    struct vlib_domain_info op = { VERSION, .domid = domid };
    long rc = machine_call(dom0, VLIB_OP_get_domain, 0, 0, &op);

    CHECK(!rc, "domain %u: %ld", domid, rc);
    return op;
}

/* All sub-operations by a guest are refused, with Flask and without. */
static void guests_may_not(struct domain *guest)
{
    static const struct {
        unsigned long cmd, a1;
        size_t domid;               /* offset in the structure; 0: none */
        int asks;
    } ops[] = {
        { VLIB_OP_cancel, 1, 0, XEN_SYSCTL_SCHEDOP_putinfo },
        { VLIB_OP_hold, 0, 0, XEN_DOMCTL_SCHEDOP_putinfo },
        { VLIB_OP_lease, 1, 0, XEN_SYSCTL_SCHEDOP_putinfo },
        { VLIB_OP_charge, 1, 0, XEN_SYSCTL_SCHEDOP_putinfo },
        { VLIB_OP_finish, 1, 0, XEN_SYSCTL_SCHEDOP_putinfo },
        { VLIB_OP_info, 0, 0, XEN_SYSCTL_SCHEDOP_getinfo },
        { VLIB_OP_reserve, 0, 0, XEN_SYSCTL_SCHEDOP_putinfo },
        { VLIB_OP_unreserve, 0, 0, XEN_SYSCTL_SCHEDOP_putinfo },
        { VLIB_OP_adopt, 0, 8, XEN_DOMCTL_SCHEDOP_putinfo },
        { VLIB_OP_allow, 0, 8, XEN_DOMCTL_SCHEDOP_putinfo },
        { VLIB_OP_domain, 0, 4, XEN_DOMCTL_SCHEDOP_putinfo },
        { VLIB_OP_throttle, 0, 0, XEN_SYSCTL_SCHEDOP_putinfo },
        { VLIB_OP_get_reservation, 0, 0, XEN_SYSCTL_SCHEDOP_getinfo },
        { VLIB_OP_get_domain, 0, 4, XEN_DOMCTL_SCHEDOP_getinfo },
        { VLIB_OP_get_cpu, 0, 0, XEN_SYSCTL_SCHEDOP_getinfo },
        { VLIB_OP_get_counters, 0, 0, XEN_SYSCTL_SCHEDOP_getinfo },
        { VLIB_OP_get_use, 0, 4, XEN_DOMCTL_SCHEDOP_getinfo },
    };
    unsigned int i;

    for ( i = 0; i < 2 * ARRAY_SIZE(ops); i++ )
    {
        unsigned int n = i / 2;
        uint32_t op[64] = { VLIB_ABI_VERSION };
        long rc;

        fake_flask = i % 2;
        op[ops[n].domid / 4] = ops[n].domid ? guest->domain_id
                                            : VLIB_ABI_VERSION;
        machine.asked = -1;
        rc = machine_call(guest, ops[n].cmd, ops[n].a1, 0, op);
        CHECK(rc == -EPERM, "sub-operation %lu by a guest: %ld", ops[n].cmd,
              rc);
        CHECK(!fake_flask || machine.asked == ops[n].asks,
              "sub-operation %lu asks Flask for %d", ops[n].cmd,
              machine.asked);
    }
    fake_flask = false;
    for ( i = 0; i < ARRAY_SIZE(ops); i++ )
    {
        unsigned int before = fake_nospec;

        if ( ops[i].cmd < VLIB_OP_info )
            continue;
        machine_call(guest, ops[i].cmd, 0, 0, &(uint32_t[64]){ 0 });
        CHECK(fake_nospec > before, "sub-operation %lu is an index that is "
              "not clamped", ops[i].cmd);
    }
    CHECK(machine_call(guest, VLIB_OP_version, 0, 0, NULL) ==
          VLIB_ABI_VERSION, "a guest cannot read the version");
    CHECK(machine_call(guest, VLIB_OP_call, 1, 1, (void *)1) == -EPERM,
          "a guest may call");
    for ( i = 9; i < 40; i++ )
        CHECK(machine_call(dom0, i, 0, 0, NULL) < 0,
              "unknown sub-operation %u", i);
}

/* A domain may listen from user mode only where Dom0 allowed that. */
static void user_mode(struct domain *guest)
{
    machine_call(guest, VLIB_OP_version, 0, 0, NULL);
    CHECK(vlib_user_cmd(VLIB_OP_version), "user mode cannot read the version");
    CHECK(!flags(guest->domain_id, VLIB_DOMAIN_listens, 0), "cannot set flags");
    machine_call(guest, VLIB_OP_version, 0, 0, NULL);
    CHECK(!vlib_user_cmd(VLIB_OP_listen) && !vlib_user_cmd(VLIB_OP_complete),
          "user mode may listen without permission");
    CHECK(!flags(guest->domain_id, VLIB_DOMAIN_user_mode, 0),
          "cannot set flags");
    machine_call(guest, VLIB_OP_version, 0, 0, NULL);
    CHECK(vlib_user_cmd(VLIB_OP_listen) && vlib_user_cmd(VLIB_OP_complete),
          "user mode may not listen though allowed");
    CHECK(!vlib_user_cmd(VLIB_OP_call) && !vlib_user_cmd(VLIB_OP_info),
          "user mode may do more than listen");
    machine_call(dom0, VLIB_OP_version, 0, 0, NULL);
    CHECK(!vlib_user_cmd(VLIB_OP_listen),
          "user mode of another domain may listen");
    CHECK(!flags(guest->domain_id, 0, VLIB_DOMAIN_listens |
                 VLIB_DOMAIN_user_mode), "cannot set flags");
}

static long take(domid_t domid, s_time_t limit)
{
    return machine_call(dom0, VLIB_OP_hold, domid, 0, (void *)limit);
}

static long drop(domid_t domid, unsigned long number)
{
    return machine_call(dom0, VLIB_OP_hold, domid, number, NULL);
}

/* A late drop of an expired hold does not end another one's hold. */
static void holds_have_owners(struct domain *guest)
{
    domid_t domid = guest->domain_id;
    long first, other, i;

    CHECK(!flags(domid, VLIB_DOMAIN_closed, 0), "cannot set flags");
    first = take(domid, 10 * MS);
    other = take(domid, 1000 * MS);
    CHECK(first > 0 && other > 0 && first != other,
          "holds %ld and %ld", first, other);
    CHECK(info(domid).open && info(domid).holds == 2,
          "the gate has no two holds");
    machine_run(20 * MS);
    CHECK(info(domid).open && info(domid).holds == 1,
          "the second hold has ended");
    CHECK(drop(domid, first) == -ENOENT, "a late drop was accepted");
    CHECK(info(domid).open, "a late drop ended another's hold");
    CHECK(!drop(domid, other) && !info(domid).open,
          "the gate is open after the drop");
    CHECK(drop(domid, other) == -ENOENT, "a second drop was accepted");
    for ( i = 0; i < VLIB_MAX_HOLDS; i++ )
        CHECK(take(domid, 10 * MS) > 0, "hold %ld refused", i);
    CHECK(take(domid, 10 * MS) == -EBUSY, "too many holds were accepted");
    machine_run(20 * MS);
    CHECK(!info(domid).open && take(domid, MS) > 0, "expired holds do not end");
    CHECK(!flags(domid, 0, VLIB_DOMAIN_closed), "cannot set flags");
    machine_run(10 * MS);
}

/* A domain that listens in another pool is told to wait for events. */
static void listener_moves(struct domain *guest)
{
    domid_t domid = guest->domain_id;
    long rc;

    CHECK(!flags(domid, VLIB_DOMAIN_listens, 0), "cannot set flags");
    machine_patience = 3;
    rc = machine_call(guest, VLIB_OP_listen, 0, 0, NULL);
    CHECK(rc == -EAGAIN && machine.continuations == 3 && !info(domid).open,
          "LISTEN does not wait under this scheduler");
    machine_move_away(guest);
    CHECK(info(domid).open, "a gate is closed in another pool");
    rc = machine_call(guest, VLIB_OP_listen, 0, 2, NULL);
    CHECK(rc == -EAGAIN && !machine.continuations,
          "LISTEN waits in another pool");
    machine_move_back(guest, 1);
    CHECK(info(domid).open && !info(domid).listening,
          "a server that waits for events is gated");
    CHECK(!flags(domid, VLIB_DOMAIN_closed, VLIB_DOMAIN_listens),
          "cannot set flags");
    machine_move_away(guest);
    CHECK(info(domid).open, "a closed gate in another pool");
    machine_move_back(guest, 1);
    CHECK(!info(domid).open, "the gate is open after the return");
    machine_patience = 100000;
    CHECK(!flags(domid, 0, VLIB_DOMAIN_closed), "cannot set flags");
}

/* A CPU with reservations can leave its pool, and return. */
static void cpu_leaves(struct domain *guest)
{
    domid_t domid = guest->domain_id;
    struct vlib_cpu_info cpu = { VERSION, .cpu = 1 };

    CHECK(!reserve(1, 2 * MS, 10 * MS), "cannot reserve");
    CHECK(!bind(VLIB_OP_adopt, 1, domid), "cannot adopt");
    machine_run(50 * MS);
    machine_remove_cpu(1);
    CHECK(machine_call(dom0, VLIB_OP_get_cpu, 0, 0, &cpu) == -EXDEV,
          "the CPU is still driven");
    CHECK(!reserve(1, 3 * MS, 10 * MS), "cannot reserve");
    CHECK(!machine_call(dom0, VLIB_OP_charge, 1, (unsigned long)MS, NULL),
          "cannot charge");
    machine_run(1500 * MS);
    machine_add_cpu(1);
    machine_run(50 * MS);
    CHECK(!machine_call(dom0, VLIB_OP_get_cpu, 0, 0, &cpu),
          "the CPU is not driven again");
    CHECK(!bind(VLIB_OP_adopt, 0, domid), "release");
    CHECK(!machine_call(dom0, VLIB_OP_unreserve, 0, 0,
                        &(struct vlib_reserve){ VERSION, .id = 1 }), "end");
}

/* Admission uses the value of timer_slop=. */
void fake_set_vlib_timer_slop(unsigned int slop);

static void late_follows_slop(struct domain *guest)
{
    struct vlib_info op = { VERSION };

    CHECK(!machine_call(dom0, VLIB_OP_info, 0, 0, &op) && op.late == 60000,
          "%lu", (unsigned long)op.late);
    CHECK(!reserve(1, MS, 10 * MS), "cannot reserve");
    CHECK(!bind(VLIB_OP_adopt, 1, guest->domain_id), "cannot adopt");
    fake_set_vlib_timer_slop(9 * MS);
    CHECK(reserve(1, MS, 9 * MS) == -ENOSPC,
          "admitted with too small a margin");
    CHECK(!machine_call(dom0, VLIB_OP_info, 0, 0, &op) && op.late == 9010000,
          "%lu", (unsigned long)op.late);
    fake_set_vlib_timer_slop(50000);
    CHECK(!reserve(1, MS, 9 * MS), "cannot reserve");
    CHECK(!machine_call(dom0, VLIB_OP_unreserve, 0, 0,
                        &(struct vlib_reserve){ VERSION, .id = 1 }), "end");
}

static struct vlib_use use(const struct domain *d)
{
    struct vlib_use op = { VERSION, .domid = d->domain_id };
    long rc = machine_call(dom0, VLIB_OP_get_use, 0, 0, &op);

    CHECK(!rc && op.vcpus == d->units, "use of domain %u: %ld, %u vCPUs",
          d->domain_id, rc, op.vcpus);
    return op;
}

static void used(const struct domain *d, const struct vlib_use *before,
                 uint64_t ran, uint64_t waited)
{
    struct vlib_use now = use(d);

    now.total.background -= before->total.background;
    now.waited -= before->waited;
    CHECK(now.total.background == ran && now.waited == waited &&
          !now.total.foreground, "domain %u ran %lu and waited %lu ns",
          d->domain_id, now.total.background, now.waited);
}

/* Waiting is time on a queue: not asleep, not behind a closed gate. */
static void waiting_is_for_a_cpu(struct domain *guest)
{
    struct domain *other = machine_domain(2, 1, 1, 1);
    struct vlib_use op = { VERSION, .domid = 2 }, first, second;

    machine_run(10 * MS);
    first = use(guest);
    second = use(other);    /* which the module does not know */
    machine_run(120 * MS);  /* three vCPUs of two domains on one CPU */
    used(guest, &first, 60 * MS, 180 * MS);
    used(other, &second, 60 * MS, 60 * MS);
    CHECK(!flags(1, VLIB_DOMAIN_closed, 0), "cannot close");
    machine_schedule(1);
    first = use(guest);
    second = use(other);
    machine_run(50 * MS);
    used(guest, &first, 0, 0);
    used(other, &second, 50 * MS, 0);
    CHECK(!flags(1, 0, VLIB_DOMAIN_closed), "cannot open");
    machine_move_away(other);
    CHECK(machine_call(dom0, VLIB_OP_get_use, 0, 0, &op) == -EXDEV,
          "a domain under another scheduler has a use");
    machine_move_back(other, 1);
    machine_destroy(other);
    CHECK(machine_call(dom0, VLIB_OP_get_use, 0, 0, &op) == -ESRCH,
          "a domain that is gone has a use");
}

int main(void)
{
    struct domain *guest;

    machine_init(6);
    dom0 = hardware_domain;
    guest = machine_domain(1, 2, 1, 1);
    CHECK(!flags(1, VLIB_DOMAIN_critical, VLIB_DOMAIN_closed), "told");
    guests_may_not(guest);
    user_mode(guest);
    waiting_is_for_a_cpu(guest);
    holds_have_owners(guest);
    listener_moves(guest);
    guest->unit[0]->affinity.word[0] = guest->unit[1]->affinity.word[0] = 7;
    cpu_leaves(guest);
    late_follows_slop(guest);
    machine_destroy(guest);
    several_servers(dom0);
    locks_are_short(dom0);
    printf("whole: passed\n");
    return 0;
}
