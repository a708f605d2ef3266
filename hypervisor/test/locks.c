/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much is done in one critical section, at the largest accepted numbers of
 * reservations, callers, callees and vCPUs. It is measured in basic blocks of
 * the module's code: 50,000 of them are 100 us at 3 GHz and six cycles each.
 */
#include "check.h"
#include "locks.h"
#include "machine.h"

#define MOST 50000
#define US 1000LL
#define MS 1000000LL
#define VERSION .version = VLIB_ABI_VERSION

#define FIRST  10                   /* of the first small domain */
#define SMALL  (VLIB_MAX_RESERVATIONS / 2)
#define WIDE   2                    /* domains */
#define CALLED 3
#define CROWD  (VLIB_MAX_RESERVATIONS - 1) /* reservation with many vCPUs */
#define CALLER 1                    /* reservation with many callees */

static struct domain *dom0;
static uint64_t longest;

static void note(const char *what)
{
    struct fake_lock_kind *kinds[] = { &fake_module_lock, &fake_domctl_lock,
                                       &fake_scheduler_lock,
                                       &fake_account_lock };
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE(kinds); i++ )
    {
        CHECK(kinds[i]->longest <= MOST,
              "%s: %"PRIu64" blocks with %s lock held, at most %u", what,
              kinds[i]->longest, kinds[i]->name, MOST);
        longest = max(longest, kinds[i]->longest);
        kinds[i]->longest = 0;
    }
}

static void call(const char *what, unsigned long cmd, void *op, long want)
{
    long rc = machine_call(dom0, cmd, 0, 0, op);

    CHECK(rc == want, "%s: %ld, not %ld", what, rc, want);
    note(what);
}

static void reserve(const char *what, unsigned int id, s_time_t budget,
                    s_time_t period, long want)
{
    struct vlib_reserve op = { VERSION, .id = id, .budget = budget,
                               .period = period };

    call(what, VLIB_OP_reserve, &op, want);
}

static void bind(const char *what, unsigned long cmd, unsigned int id,
                 domid_t domid, uint32_t flags)
{
    struct vlib_bind op = { VERSION, .id = id, .domid = domid,
                            .flags = flags };

    call(what, cmd, &op, 0);
}

static s_time_t period(unsigned int id)
{
    return 5000 * MS + (id * 7919 % VLIB_MAX_RESERVATIONS) * MS;
}

/* Sets the CPU as if by admission: a trial for each one would take a minute. */
static void admitted(unsigned int id, unsigned int cpu)
{
    cpumask_set_cpu(cpu, &vlib_reservation_find(id)->account.admitted);
}

/* Half of the reservations are adopted; half may call one domain. */
static void fill(void)
{
    unsigned int id;

    machine_domain(WIDE, 128, 2, 1);
    machine_domain(CALLED, 1, 2, 1);
    for ( id = 1; id < VLIB_MAX_RESERVATIONS; id++ )
        reserve("make", id, VLIB_MIN_BUDGET, period(id), 0);
    for ( id = CALLER + 1; id < SMALL; id++ )
    {
        machine_domain(FIRST + id, 1, 1, 1);
        note("a vCPU arrives");
        admitted(id, 1);
        bind("adopt", VLIB_OP_adopt, id, FIRST + id, 0);
    }
    for ( ; id < CROWD; id++ )
    {
        admitted(id, 2);
        bind("allow", VLIB_OP_allow, id, CALLED, 0);
    }
    bind("adopt a wide domain", VLIB_OP_adopt, CROWD, WIDE, 0);
    for ( id = 0; id < VLIB_MAX_CALLEES - 1; id++ )
        bind("allow", VLIB_OP_allow, CALLER, FIRST + SMALL - 1 - id, 0);
    bind("allow", VLIB_OP_allow, CALLER, WIDE, 0);
}

static void settings(void)
{
    struct vlib_domctl close = { VERSION, .domid = WIDE,
                                 .set = VLIB_DOMAIN_closed |
                                        VLIB_DOMAIN_critical };
    struct vlib_domctl open = { VERSION, .domid = WIDE,
                                .clear = VLIB_DOMAIN_closed };
    struct vlib_domain_info domain = { VERSION, .domid = WIDE };
    struct vlib_reservation_info r = { VERSION, .id = CALLER };
    struct vlib_cpu_info cpu = { VERSION, .cpu = 1 };
    struct vlib_throttle throttle = { VERSION, .cpu = 1, .period = 10 * MS,
                                      .idle = MS };
    struct vlib_info info = { VERSION };

    reserve("change", SMALL / 2, 2 * VLIB_MIN_BUDGET, period(1), 0);
    reserve("change one with many callees", CALLER, 2 * VLIB_MIN_BUDGET,
            period(2), 0);
    reserve("refuse", CROWD, 9000 * MS, 9100 * MS, -ENOSPC);
    call("close", VLIB_OP_domain, &close, 0);
    call("open", VLIB_OP_domain, &open, 0);
    call("get domain", VLIB_OP_get_domain, &domain, 0);
    call("get reservation", VLIB_OP_get_reservation, &r, 0);
    r.id = CROWD;
    call("get reservation", VLIB_OP_get_reservation, &r, 0);
    call("get CPU", VLIB_OP_get_cpu, &cpu, 0);
    call("info", VLIB_OP_info, &info, 0);
    CHECK(info.reservations == VLIB_MAX_RESERVATIONS - 1 &&
          info.domains == SMALL, "%u, %u", info.reservations, info.domains);
    call("throttle", VLIB_OP_throttle, &throttle, 0);
}

/* All at once: refills, an expired lease, domains that were moved. */
static void events(void)
{
    unsigned int id, round, admitted_there = 0;

    machine_run(SMALL * 2 * MS);    /* all budgets are used up */
    note("run");
    fake_now += 1000000 * MS;       /* and refilled */
    for ( id = 0; id < SMALL; id++ )
    {
        machine_schedule(1);
        note("many refills are due at once");
    }
    machine_run(100 * MS);
    note("run");
    CHECK(!machine_call(dom0, VLIB_OP_lease, MS, 0, NULL), "lease");
    machine_run(10 * MS);
    note("a lease expires");
    CHECK(!machine_call(dom0, VLIB_OP_lease, 0, 0, NULL), "lease");
    note("a lease is renewed");
    for ( id = CALLER + 1; id < SMALL; id++ )
        cpumask_set_cpu(2, &machine.domain[FIRST + id]->unit[0]->affinity);
    machine_remove_cpu(1);
    note("a CPU leaves");
    for ( round = 0; round < 20 && !admitted_there; round++ )
    {
        machine_run(1000 * MS);
        note("moved domains are reviewed");
        for ( id = CALLER + 1; id < SMALL; id++ )
            admitted_there += cpumask_test_cpu(
                2, &vlib_reservation_find(id)->account.admitted);
    }
    CHECK(admitted_there, "no moved domain is admitted");
}

static void ends(void)
{
    struct vlib_reserve op = { VERSION, .id = CALLER };
    struct vlib_info info = { VERSION };

    call("end a reservation with many callees", VLIB_OP_unreserve, &op, 0);
    op.id = CROWD;
    call("end a reservation with many vCPUs", VLIB_OP_unreserve, &op, 0);
    machine_destroy(machine.domain[CALLED]);
    note("a domain with many callers is destroyed");
    machine_destroy(machine.domain[WIDE]);
    note("a wide domain is destroyed");
    machine_run(2000 * MS);
    note("destroyed domains are swept");
    call("info", VLIB_OP_info, &info, 0);
    CHECK(info.domains == SMALL - 2, "%u domains", info.domains);
}

void locks_are_short(struct domain *control)
{
    dom0 = control;
    fill();
    settings();
    events();
    ends();
    printf("whole: %"PRIu64" of %u basic blocks under a lock at most\n",
           longest, MOST);
}
