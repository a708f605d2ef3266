/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reservations with several servers, in the whole module: each vCPU has its
 * own, on its own CPU; which CPUs they get; what is refused.
 */
#include "check.h"
#include "machine.h"
#include "several.h"

#define MS 1000000LL
#define VERSION .version = VLIB_ABI_VERSION
#define ANY 0x3e                    /* the CPUs of guests: all but the first */

static struct domain *dom0;

static struct vlib_reserve refused; /* the last refusal */

static long reserve(unsigned int id, unsigned int servers, s_time_t budget)
{
    struct vlib_reserve op = { VERSION, .id = id, .budget = budget,
                               .period = 100 * MS, .servers = servers };
    long rc = machine_call(dom0, VLIB_OP_reserve, 0, 0, &op);

    refused = op;
    return rc;
}

static long bind(unsigned long cmd, unsigned int id, domid_t domid)
{
    struct vlib_bind op = { VERSION, .id = id, .domid = domid };
    long rc = machine_call(dom0, cmd, 0, 0, &op);

    refused.cpu = op.cpu;
    refused.server = op.server;
    refused.misses = op.misses;
    return rc;
}

static long adopt(unsigned int id, domid_t domid)
{
    return bind(VLIB_OP_adopt, id, domid);
}

static void end(unsigned int id)
{
    struct vlib_reserve op = { VERSION, .id = id };

    CHECK(!machine_call(dom0, VLIB_OP_unreserve, 0, 0, &op), "end %u", id);
}

static struct vlib_server_info server(unsigned int id, unsigned int i)
{
    struct vlib_server_info op = { VERSION, .id = id, .server = i };
    long rc = machine_call(dom0, VLIB_OP_get_server, 0, 0, &op);

    CHECK(!rc, "server %u of %u: %ld", i, id, rc);
    return op;
}

static struct vlib_reservation_info info(unsigned int id)
{
    struct vlib_reservation_info op = { VERSION, .id = id };
    long rc = machine_call(dom0, VLIB_OP_get_reservation, 0, 0, &op);

    CHECK(!rc, "reservation %u: %ld", id, rc);
    return op;
}

static unsigned int place_of(const struct domain *d, unsigned int vcpu)
{
    return d->unit[vcpu]->res->master_cpu;
}

/* vCPUs that may be on some CPUs, and are on one of them. */
static struct domain *guest(domid_t domid, unsigned int vcpus, uint64_t cpus,
                            unsigned int on)
{
    struct domain *d = machine_domain(domid, vcpus, on, 1);
    unsigned int i;

    for ( i = 0; i < vcpus; i++ )
        d->unit[i]->affinity.word[0] = cpus;
    return d;
}

/* How much a server got of so much time, in foreground; in 1 / 100,000. */
static void share_is(unsigned int id, unsigned int i, s_time_t time,
                     unsigned int want, unsigned int tolerance)
{
    uint64_t before = server(id, i).total.foreground, got;

    machine_run(time);
    got = (server(id, i).total.foreground - before) * 100000 / time;
    CHECK(got + tolerance >= want && got <= want + tolerance,
          "server %u of %u: %"PRIu64", not %u", i, id, got, want);
}

/* Each vCPU has its own budget on its own CPU, beside four spinners there. */
static void each_has_its_own(void)
{
    struct domain *d = guest(1, 4, ANY & ~0x20, 1), *other[4];
    unsigned int i, cpus = 0;

    for ( i = 0; i < 4; i++ )
        other[i] = machine_domain(2 + i, 4, 1, 4);
    CHECK(!reserve(1, 4, 50 * MS) && !adopt(1, 1), "not admitted");
    for ( i = 0; i < 4; i++ )
    {
        struct vlib_server_info s = server(1, i);

        CHECK(s.vcpus == 1 && s.cpu == place_of(d, i) && !s.unadmitted,
              "server %u: %u vCPUs, CPU %u, unadmitted on %u", i, s.vcpus,
              s.cpu, s.unadmitted);
        cpus |= 1U << place_of(d, i);
    }
    CHECK(cpus == 0x1e, "the vCPUs are on CPUs %#x", cpus);
    machine_run(200 * MS);
    for ( i = 0; i < 4; i++ )
        share_is(1, i, 1000 * MS, 50000, 0);
    CHECK(info(1).servers == 4 && info(1).total.foreground ==
          server(1, 0).total.foreground + server(1, 1).total.foreground +
          server(1, 2).total.foreground + server(1, 3).total.foreground,
          "the sum is another");
    end(1);
    for ( i = 0; i < 4; i++ )
        machine_destroy(other[i]);
    machine_destroy(d);
}

/* With fewer servers than vCPUs, some share one; with one, all do. */
static void vcpus_share_servers(void)
{
    struct domain *d = guest(1, 4, ANY, 1);
    uint64_t used;

    CHECK(reserve(1, 0, MS) == -ERANGE &&
          reserve(1, VLIB_MAX_SERVERS + 1, MS) == -ERANGE, "accepted");
    CHECK(!reserve(1, 5, 30 * MS), "not made");
    CHECK(adopt(1, 1) == -EDOM, "five servers, four vCPUs");
    CHECK(!reserve(1, 2, 30 * MS) && !adopt(1, 1), "not admitted");
    CHECK(server(1, 0).vcpus == 2 && server(1, 1).vcpus == 2,
          "%u and %u vCPUs", server(1, 0).vcpus, server(1, 1).vcpus);
    machine_run(200 * MS);
    share_is(1, 0, 1000 * MS, 30000, 0);
    share_is(1, 1, 1000 * MS, 30000, 0);
    used = info(1).total.foreground;
    CHECK(!reserve(1, 1, 30 * MS) && info(1).servers == 1, "not changed");
    CHECK(info(1).total.foreground == used, "use is lost with a server");
    machine_run(200 * MS);
    share_is(1, 0, 1000 * MS, 30000, 0);
    CHECK(!reserve(1, 4, 20 * MS) && server(1, 3).vcpus == 1, "not changed");
    CHECK(reserve(1, 5, 20 * MS) == -EDOM && info(1).servers == 4, "changed");
    machine_run(200 * MS);
    share_is(1, 3, 1000 * MS, 20000, 0);
    end(1);
    machine_destroy(d);
}

/* A refusal names the vCPU; without room nowhere, nothing is admitted. */
static void refusals_name_the_vcpu(void)
{
    struct domain *d = guest(1, 2, ANY, 1), *other = guest(2, 1, 2, 1);
    struct vlib_cpu_info cpu = { VERSION, .cpu = 1 };
    uint64_t admitted;

    d->unit[1]->affinity.word[0] = 2; /* vCPU 1 is pinned to CPU 1 */
    CHECK(!reserve(1, 1, 60 * MS) && !adopt(1, 2), "not admitted");
    CHECK(!reserve(2, 2, 50 * MS), "not made");
    machine_call(dom0, VLIB_OP_get_cpu, 0, 0, &cpu);
    admitted = cpu.admitted;
    CHECK(adopt(2, 1) == -ENOSPC && refused.server == 1 && refused.cpu == 1 &&
          (refused.misses == 2 || refused.misses == 1),
          "server %u on CPU %u because of %u", refused.server, refused.cpu,
          refused.misses);
    CHECK(info(2).unadmitted == 0 && info(2).domid == VLIB_NO_DOMAIN,
          "a refused one is in use");
    machine_call(dom0, VLIB_OP_get_cpu, 0, 0, &cpu);
    CHECK(cpu.admitted == admitted, "a refusal leaves something admitted");
    CHECK(!reserve(2, 2, 30 * MS) && !adopt(2, 1), "not admitted");
    CHECK(place_of(d, 0) != 1 && place_of(d, 1) == 1, "CPUs %u and %u",
          place_of(d, 0), place_of(d, 1));
    CHECK(reserve(2, 2, 50 * MS) == -ENOSPC && refused.server == 1,
          "server %u", refused.server);
    end(1);
    CHECK(!reserve(2, 2, 50 * MS), "not admitted, though there is room");
    end(2);
    machine_destroy(other);
    machine_destroy(d);
}

/*
 * Ten servers of 45 % fit on five CPUs, two on each, wherever the vCPUs were;
 * the eleventh does not. Without a CPU they fit no more, and with it again.
 */
static void servers_fill_the_cpus(void)
{
    struct domain *d[11];
    unsigned int i, unadmitted = 0;

    for ( i = 0; i < 11; i++ )
    {
        d[i] = guest(i + 1, 1, ANY, 1 + i % 2);
        CHECK(!reserve(i + 1, 1, 45 * MS), "not made");
        CHECK(adopt(i + 1, i + 1) == (i < 10 ? 0 : -ENOSPC), "%u", i);
    }
    machine_run(200 * MS);
    for ( i = 0; i < 10; i++ )
        share_is(i + 1, 0, 1000 * MS, 45000, 0);
    machine_remove_cpu(3);
    machine_run(3000 * MS);
    for ( i = 0; i < 10; i++ )
        unadmitted += info(i + 1).unadmitted;
    CHECK(unadmitted == 2, "%u have no CPU", unadmitted);
    machine_add_cpu(3);
    for ( i = 0; i < 10; i++ )
        if ( info(i + 1).unadmitted )
            CHECK(!reserve(i + 1, 1, 45 * MS), "not admitted again");
    machine_run(3000 * MS);
    for ( i = 0; i < 10; i++ )
        share_is(i + 1, 0, 1000 * MS, 45000, 0);
    for ( i = 0; i < 11; i++ )
    {
        end(i + 1);
        machine_destroy(d[i]);
    }
}

/*
 * A new server is pinned to a CPU that is full: one that may be elsewhere makes
 * room, and is never without its budget.
 */
static void others_make_room(void)
{
    struct domain *d[4];
    unsigned int i;
    uint64_t before;

    for ( i = 0; i < 3; i++ )
    {
        d[i] = guest(i + 1, 1, i ? 6 : 2, 1); /* CPUs 1 and 2; CPU 1 */
        CHECK(!reserve(i + 1, 1, 30 * MS) && !adopt(i + 1, i + 1), "%u", i);
    }
    d[3] = guest(4, 1, 4, 2);
    CHECK(place_of(d[1], 0) == 2 && place_of(d[2], 0) == 1, "CPUs %u and %u",
          place_of(d[1], 0), place_of(d[2], 0));
    machine_run(200 * MS);
    before = server(2, 0).total.foreground + server(3, 0).total.foreground;
    CHECK(!reserve(4, 1, 75 * MS) && !adopt(4, 4), "no room");
    CHECK(place_of(d[1], 0) == 1, "CPU %u", place_of(d[1], 0));
    machine_run(1000 * MS);
    CHECK(server(2, 0).total.foreground + server(3, 0).total.foreground >=
          before + 600 * MS, "a guarantee is broken");
    share_is(4, 0, 1000 * MS, 75000, 0);
    CHECK(reserve(4, 1, 96 * MS) == -ENOSPC && refused.cpu == 2, "no refusal");
    for ( i = 0; i < 4; i++ )
    {
        end(i + 1);
        machine_destroy(d[i]);
    }
}

/* Several servers of one reservation on one CPU: affinity leaves no other. */
static void one_cpu_is_enough(void)
{
    struct domain *d = guest(1, 4, 4, 2);
    unsigned int i;

    CHECK(!reserve(1, 4, 25 * MS), "not made");
    CHECK(adopt(1, 1) == -ENOSPC && refused.cpu == 2 && refused.server == 3,
          "server %u, CPU %u", refused.server, refused.cpu);
    CHECK(!reserve(1, 4, 20 * MS) && !adopt(1, 1), "not admitted");
    machine_run(200 * MS);
    for ( i = 0; i < 4; i++ )
        share_is(1, i, 1000 * MS, 20000, 0);
    machine_sleep(d->unit[3]);      /* vCPU 3 is unplugged */
    machine_run(200 * MS);
    share_is(1, 3, 1000 * MS, 0, 0);
    machine_wake(d->unit[3]);
    machine_run(200 * MS);
    share_is(1, 3, 1000 * MS, 20000, 0);
    machine_move_away(d);
    CHECK(info(1).servers == 4 && server(1, 0).vcpus == 0, "in another pool");
    machine_move_back(d, 2);
    machine_run(2000 * MS);
    for ( i = 0; i < 4; i++ )
        share_is(1, i, 1000 * MS, 20000, 0);
    end(1);
    machine_destroy(d);
}

/* A call is paid by as many servers as its reservation has. */
static void calls_have_several_servers(void)
{
    struct domain *d = guest(1, 2, ANY, 1), *spins = machine_domain(2, 5, 1, 5);
    struct vlib_domctl parks = { VERSION, .domid = 1,
                                 .set = VLIB_DOMAIN_parks };
    struct vlib_reservation_info r;

    dom0->evtchn[1] = (struct evtchn){
        .state = ECS_INTERDOMAIN, .u.interdomain = { d, 1 },
    };
    CHECK(!machine_call(dom0, VLIB_OP_domain, 0, 0, &parks), "flags");
    CHECK(!reserve(1, 2, 40 * MS) && !bind(VLIB_OP_allow, 1, 1),
          "not admitted");
    CHECK(place_of(d, 0) != place_of(d, 1), "both on one CPU");
    machine_call(dom0, VLIB_OP_version, 0, 0, NULL);
    CHECK(vlib_call(1, 1, 1, 10000 * MS, 1) == VLIB_BEGUN_active, "no call");
    machine_run(200 * MS);
    share_is(1, 0, 1000 * MS, 40000, 0);
    share_is(1, 1, 1000 * MS, 40000, 0);
    CHECK(!reserve(1, 1, 40 * MS), "not changed during a call");
    machine_run(200 * MS);
    share_is(1, 0, 1000 * MS, 40000, 0);
    CHECK(!reserve(1, 2, 40 * MS), "not changed during a call");
    CHECK(!vlib_finish(1, 1, 1, 1), "no end");
    r = info(1);
    CHECK(r.call == VLIB_CALL_done && r.cost.foreground == r.total.foreground &&
          r.cost.foreground > 1500 * MS, "%"PRIu64" of %"PRIu64,
          r.cost.foreground, r.total.foreground);
    end(1);
    machine_destroy(spins);
    machine_destroy(d);
}

static uint64_t background(const struct domain *d)
{
    const struct vlib_unit *vu = d->unit[0]->priv;

    return vu->entity.usage.background;
}

/* How much of a CPU each gets in background, in 1 / 1,000. */
static void parts_are(struct domain *const *d, unsigned int n,
                      unsigned int least, unsigned int most)
{
    uint64_t before[16];
    unsigned int i;

    for ( i = 0; i < n; i++ )
        before[i] = background(d[i]);
    machine_run(2000 * MS);
    for ( i = 0; i < n; i++ )
    {
        uint64_t part = (background(d[i]) - before[i]) / (2 * MS);

        CHECK(part >= least && part <= most, "%u has %"PRIu64", not %u to %u",
              i, part, least, most);
    }
}

/* Spinning vCPUs that were all on one CPU are spread, and then stay. */
static void background_is_balanced(void)
{
    struct domain *d[10], *reserved, *pinned;
    unsigned int i, moves;

    for ( i = 0; i < 10; i++ )
        d[i] = guest(i + 1, 1, ANY, 1);
    machine_run(1000 * MS);
    parts_are(d, 10, 490, 510);
    moves = machine.moves;
    machine_run(10000 * MS);
    CHECK(machine.moves == moves, "%u moves without need",
          machine.moves - moves);
    pinned = guest(20, 1, 2, 1);
    reserved = guest(21, 1, 4, 2);
    CHECK(!reserve(1, 1, 80 * MS) && !adopt(1, 21), "not admitted");
    /* CPU 2 has a fifth left, and one that wants it; the others one more. */
    machine_run(2000 * MS);
    CHECK(place_of(pinned, 0) == 1 && place_of(reserved, 0) == 2, "moved");
    for ( i = 0; i < 10; i++ )
        CHECK(place_of(d[i], 0) != 2, "%u is on a CPU without time", i);
    parts_are(d, 10, 320, 510);
    CHECK(machine.moves - moves <= 10, "%u moves", machine.moves - moves);
    end(1);
    machine_destroy(reserved);
    machine_destroy(pinned);
    machine_run(1000 * MS);
    parts_are(d, 10, 490, 510);
    for ( i = 0; i < 10; i++ )
        machine_destroy(d[i]);
}

void several_servers(struct domain *control)
{
    dom0 = control;
    machine.domain[0]->unit[0]->affinity.word[0] = 1;
    each_has_its_own();
    vcpus_share_servers();
    refusals_name_the_vcpu();
    servers_fill_the_cpus();
    others_make_room();
    one_cpu_is_enough();
    calls_have_several_servers();
    background_is_balanced();
}
