/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much is done in one critical section, at the largest accepted numbers of
 * domains, reservations, callers, callees and vCPUs. It is measured in basic
 * blocks of the module's code: 50,000 of them are 100 us at 3 GHz and six
 * cycles each.
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
#define PASSER (CROWD - 1)          /* reservation that calls all domains */

#define CALLEES    FIRST            /* the numbers of all domains */
#define CALLEES_END (CALLEES + VLIB_MAX_RESERVATIONS - 1)
#define WIDE_EVERY 30               /* of these, one has many vCPUs */

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
                               .period = period, .servers = 1 };

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
    struct vlib_reservation *r = vlib_reservation_find(id);

    cpumask_set_cpu(cpu, &r->server[0]->admitted);
    cpumask_set_cpu(cpu, &r->cpus);
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
    struct vlib_use use = { VERSION, .domid = WIDE };
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
    call("get use", VLIB_OP_get_use, &use, 0);
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
    unsigned int id, d, i, round, admitted_there = 0;

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
    CHECK(!machine_call(dom0, VLIB_OP_lease, MS, 0, NULL), "no lease");
    machine_run(10 * MS);
    note("a lease expires");
    CHECK(!machine_call(dom0, VLIB_OP_lease, 0, 0, NULL), "no lease");
    note("a lease is renewed");
    for ( d = CALLEES; d < CALLEES_END; d++ )
        for ( i = 0; i < machine.domain[d]->units; i++ )
            cpumask_set_cpu(2, &machine.domain[d]->unit[i]->affinity);
    machine_remove_cpu(1);
    note("a CPU leaves");
    for ( round = 0; round < 20 && !admitted_there; round++ )
    {
        machine_run(1000 * MS);
        note("moved domains are reviewed");
        for ( id = CALLER + 1; id < PASSER - 8; id++ )
        {
            const cpumask_t *there =
                &vlib_reservation_find(id)->server[0]->admitted;

            admitted_there += cpumask_test_cpu(2, there) &&
                              !cpumask_test_cpu(1, there);
        }
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
    CHECK(info.domains == CALLEES_END - CALLEES, "%u domains",
          info.domains);
}

static bool wide(domid_t domid)
{
    return domid % WIDE_EVERY == 0;
}

static void flags(domid_t domid, uint32_t set, uint32_t clear)
{
    struct vlib_domctl op = { VERSION, .domid = domid, .set = set,
                              .clear = clear };

    call("flags", VLIB_OP_domain, &op, 0);
}

/* A caller's request 1, at its port 1, which leads to the domain. */
static long ask(unsigned int id, domid_t domid, s_time_t timeout)
{
    dom0->evtchn[1] = (struct evtchn){
        .state = ECS_INTERDOMAIN,
        .u.interdomain = { machine.domain[domid], 1 },
    };
    machine_call(dom0, VLIB_OP_version, 0, 0, NULL);
    return vlib_call(domid, 1, id, timeout, 1);
}

/* As many domains as reservations are possible, all known to the module. */
static void come(void)
{
    unsigned int d;

    for ( d = CALLEES; d < CALLEES_END; d++ )
    {
        if ( !machine.domain[d] )
            machine_domain(d, wide(d) ? 128 : 1, 1, 1);
        flags(d, VLIB_DOMAIN_parks, 0);
        note("a domain is made known");
    }
}

/* One reservation calls each domain, and gets its answer or gives up. */
static void pass(bool answered)
{
    unsigned int d;

    for ( d = CALLEES; d < CALLEES_END; d++ )
    {
        struct vlib_reservation *r = vlib_reservation_find(PASSER);
        long rc;

        cpumask_clear(&r->server[0]->admitted);
        admitted(PASSER, machine.domain[d]->unit[0]->res->master_cpu);
        bind("allow", VLIB_OP_allow, PASSER, d, 0);
        rc = ask(PASSER, d, 1000 * MS);
        CHECK(rc == VLIB_BEGUN_active, "call %u: %ld", d, rc);
        rc = answered ? vlib_finish(d, 1, PASSER, 1)
                      : vlib_cancel(d, 1, PASSER, 1);
        CHECK(!rc, "end call %u: %ld", d, rc);
        note("a call ends");
        bind("disallow", VLIB_OP_allow, PASSER, d, VLIB_BIND_remove);
    }
}

static void anew(unsigned int id)
{
    struct vlib_reserve op = { VERSION, .id = id };

    call("end a reservation of all domains", VLIB_OP_unreserve, &op, 0);
    reserve("make", id, VLIB_MIN_BUDGET, period(id), 0);
}

static struct vlib_domain *told(unsigned int d)
{
    return vlib_domain_find(machine.domain[d]);
}

/* A reservation of all domains is removed, or has finished with them. */
static void leave(void)
{
    struct vlib_bind op = { VERSION, .id = PASSER, .domid = CALLED,
                            .flags = VLIB_BIND_remove };
    unsigned int d;

    call("disallow", VLIB_OP_allow, &op, 0);
    pass(true);
    anew(PASSER);
    pass(false);
    for ( d = CALLEES; d < CALLEES_END; d++ )
        CHECK(told(d)->abandoned == PASSER && told(d)->open, "domain %u", d);
    CHECK(!vlib_finish(0, 0, PASSER, 0), "cannot finish abandoned calls");
    note("all abandoned calls are answered");
    for ( d = CALLEES; d < CALLEES_END; d++ )
        CHECK(!told(d)->abandoned && !told(d)->open, "domain %u", d);
    CHECK(vlib_finish(0, 0, PASSER, 0) == -ESRCH, "there is a call left");
    pass(false);
    anew(PASSER);
    for ( d = CALLEES; d < CALLEES_END; d++ )
        CHECK(!told(d)->abandoned && !told(d)->open, "domain %u", d);
}

/* Reservations may call as many domains as possible, each with many vCPUs. */
static void wide_callees(void)
{
    struct vlib_reservation_info info = { VERSION };
    unsigned int id, d;

    for ( id = PASSER; id > PASSER - 8; id-- )
    {
        struct vlib_reservation *r = vlib_reservation_find(id);

        admitted(id, 1);
        for ( d = CALLEES_END; r->nr_callees < VLIB_MAX_CALLEES; d-- )
            if ( machine.domain[d - 1]->units == 128 )
                bind("allow a wide domain", VLIB_OP_allow, id, d - 1, 0);
        info.id = id;
        call("get one with wide callees", VLIB_OP_get_reservation, &info, 0);
        reserve("change one with wide callees", id, VLIB_MIN_BUDGET,
                period(3), 0);
    }
    machine_run(3000 * MS);
    note("reservations with wide callees are reviewed");
    for ( id = PASSER; id > PASSER - 8; id-- )
        anew(id);
}

/* Calls all domains for which reservations are left; returns how many. */
static unsigned int call_all(s_time_t timeout)
{
    unsigned int id, calls = 0;

    for ( id = SMALL; id < PASSER - 8; id++, calls++ )
    {
        unsigned int d = CALLEES_END - 1 - calls;
        struct vlib_reservation *r = vlib_reservation_find(id);
        long rc;

        if ( !vlib_reservation_allows(r, told(d)) )
        {
            admitted(id, 1);
            bind("allow", VLIB_OP_allow, id, d, 0);
        }
        rc = ask(id, d, timeout);
        CHECK(rc == VLIB_BEGUN_active, "call %u: %ld", d, rc);
    }
    return calls;
}

static unsigned int active(void)
{
    unsigned int d, n = 0;

    for ( d = CALLEES; d < CALLEES_END; d++ )
        n += !!told(d)->active;
    return n;
}

static void sweep(void)
{
    struct timer *t = fake_timer;

    fake_now += MS;
    if ( !t || t->at > fake_now )
        return;
    fake_timer = NULL;
    t->function(NULL);
}

/* A lease is renewed: no gate is skipped, even during a sweep. */
static void all_gates(void)
{
    unsigned int d;

    CHECK(!machine_call(dom0, VLIB_OP_lease, MS, 0, NULL), "no lease");
    machine_run(2000 * MS);
    note("a lease expires");
    for ( d = CALLEES; d < CALLEES_END; d++ )
        CHECK(told(d)->open, "domain %u", d);
    fake_now += 2000 * MS;
    fake_meanwhile = sweep;
    CHECK(!machine_call(dom0, VLIB_OP_lease, 0, 0, NULL), "no lease");
    fake_meanwhile = NULL;
    note("a lease is renewed");
    for ( d = CALLEES; d < CALLEES_END; d++ )
        CHECK(!told(d)->open, "the gate of domain %u is open", d);
}

/* All calls end at once, and all holds. */
static void at_once(void)
{
    unsigned int d;

    CHECK(active() == 0 && call_all(10 * MS) == active(),
          "not all calls are active");
    machine_run(1000 * MS);
    note("all calls are late");
    CHECK(active() == 0, "%u calls are late", active());
    for ( d = CALLEES; d < CALLEES_END; d++ )
        flags(d, 0, VLIB_DOMAIN_parks);
    for ( d = CALLEES; d < CALLEES_END; d++ )
        flags(d, VLIB_DOMAIN_parks, 0);
    call_all(VLIB_MAX_TIMEOUT);
    dom0->evtchn[1].state = 0;
    machine_run(2000 * MS);
    note("all callers die");
    CHECK(active() == 0, "%u callers died", active());
    for ( d = CALLEES; d < CALLEES_END; d++ )
    {
        flags(d, VLIB_DOMAIN_closed, VLIB_DOMAIN_parks);
        CHECK(machine_call(dom0, VLIB_OP_hold, d, 0, (void *)(10 * MS)) > 0,
              "hold %u", d);
        note("hold");
        CHECK(told(d)->open, "domain %u is not held", d);
    }
    machine_run(1000 * MS);
    note("all holds end");
    for ( d = CALLEES; d < CALLEES_END; d++ )
        CHECK(!told(d)->open, "the hold of domain %u has not ended", d);
    all_gates();
    for ( d = CALLEES; d < CALLEES_END; d++ )
        flags(d, 0, VLIB_DOMAIN_closed);
}

void locks_are_short(struct domain *control)
{
    dom0 = control;
    fill();
    settings();
    come();
    leave();
    wide_callees();
    at_once();
    events();
    ends();
    printf("whole: %"PRIu64" of %u basic blocks under a lock at most\n",
           longest, MOST);
}
