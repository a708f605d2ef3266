/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random sets of domains whose reservations have several servers, in the whole
 * module: vCPUs that share servers, are pinned, sleep and are moved; calls;
 * CPUs that leave. Timers are late by up to the bound. At each step:
 *
 * 1. Each vCPU is on the server of its number.
 * 2. Servers that are admitted on a CPU pass the analysis; their sum is right.
 * 3. No server has had more than its budgets in the time that passed.
 * 4. What CPUs say they did adds up to the time that passed.
 *
 * And at the end of each set:
 *
 * 5. A server that is admitted where its vCPUs are, and one of which spins,
 *    has had its budget in each period.
 */
#include "admit.h"
#include "check.h"
#include "machine.h"
#include "seed.h"

#define SETS 20000
#define CPUS 5
#define DOMAINS 3
#define VCPUS 4
#define STEPS 8
#define LATE 60000
#define US 1000LL
#define MS 1000000LL
#define VERSION .version = VLIB_ABI_VERSION

static struct domain *dom0, *guest[DOMAINS + 1]; /* from 1 */
static struct seed seed;
static s_time_t late[CPUS];
static uint64_t accepted, refused, guarantees;

static unsigned int any(unsigned int lowest, unsigned int highest)
{
    return seed_range(&seed, lowest, highest);
}

/* Time passes; each decision comes up to the bound after its time. */
static void run(s_time_t time)
{
    s_time_t end = fake_now + time;

    while ( fake_now < end )
    {
        s_time_t at = end;
        unsigned int cpu;

        for_each_cpu ( cpu, &machine.pool )
            at = min(at, machine.kicked >> cpu & 1
                         ? fake_now : machine.due[cpu] == VLIB_NEVER
                         ? end : machine.due[cpu] + late[cpu]);
        fake_now = max(fake_now, at);
        for_each_cpu ( cpu, &machine.pool )
        {
            if ( !(machine.kicked >> cpu & 1) &&
                 (machine.due[cpu] == VLIB_NEVER ||
                  machine.due[cpu] + late[cpu] > fake_now) )
                continue;
            machine_schedule(cpu);
            late[cpu] = seed_chance(&seed, 50) ? 0 : any(0, LATE);
        }
        if ( fake_timer && fake_timer->at <= fake_now )
        {
            struct timer *t = fake_timer;

            fake_timer = NULL;
            t->function(NULL);
        }
    }
}

/* It may have to wait for a review that is under way. */
static long call(unsigned long cmd, void *op)
{
    long rc;

    while ( (rc = machine_call(dom0, cmd, 0, 0, op)) == -EAGAIN )
        run(MS);
    CHECK(!rc || rc == -ENOSPC || rc == -EDOM || rc == -EBUSY,
          "sub-operation %lu: %ld", cmd, rc);
    accepted += !rc;
    refused += !!rc;
    return rc;
}

/* Reservation i adopts domain i, or may call it. */
static void bind(unsigned int i)
{
    struct vlib_bind op = { VERSION, .id = i, .domid = i };

    call(seed_chance(&seed, 70) ? VLIB_OP_adopt : VLIB_OP_allow, &op);
}

static void reserve(unsigned int i)
{
    s_time_t period = any(2, 20) * MS;
    struct vlib_reserve op = {
        VERSION, .id = i, .period = period, .servers = any(1, VCPUS),
        .budget = max(period * any(1, 60) / 100, (s_time_t)VLIB_MIN_BUDGET),
    };

    call(VLIB_OP_reserve, &op);
}

static void leave(unsigned int i)
{
    struct vlib_bind op = { VERSION, .domid = i };

    call(VLIB_OP_adopt, &op);
}

/* Domain i is called on its reservation, or the call ends. */
static void serve(unsigned int i)
{
    struct vlib_domctl op = { VERSION, .domid = i, .set = VLIB_DOMAIN_parks };

    dom0->evtchn[1] = (struct evtchn){
        .state = ECS_INTERDOMAIN, .u.interdomain = { guest[i], 1 },
    };
    machine_call(dom0, VLIB_OP_domain, 0, 0, &op);
    machine_call(dom0, VLIB_OP_version, 0, 0, NULL);
    if ( vlib_finish(i, 1, i, 0) )
        vlib_call(i, 1, i, 1000 * MS, 1);
}

static void pin(struct sched_unit *u)
{
    u->affinity.word[0] = 0;
    while ( !(u->affinity.word[0] & machine.pool.word[0]) )
        u->affinity.word[0] = any(1, (1 << CPUS) - 1);
    vcpu_set_hard_affinity(&u->vcpu, &u->affinity);
}

static void step(void)
{
    unsigned int i = any(1, DOMAINS), v;
    struct sched_unit *u = guest[i]->unit[any(0, guest[i]->units - 1)];

    switch ( any(0, 9) )
    {
    case 0: case 1: case 2:
        reserve(i);
        break;
    case 3: case 4:
        bind(i);
        break;
    case 5:
        leave(i);
        break;
    case 6:
        serve(i);
        break;
    case 7:
        pin(u);
        break;
    case 8:
        if ( u->runnable )
            machine_sleep(u);
        else
            machine_wake(u);
        break;
    case 9:
        if ( !cpumask_test_cpu(CPUS - 1, &machine.pool) )
            machine_add_cpu(CPUS - 1);
        else
        {
            for ( i = 1; i <= DOMAINS; i++ )
                for ( v = 0; v < guest[i]->units; v++ )
                    guest[i]->unit[v]->affinity.word[0] |= 2;
            machine_remove_cpu(CPUS - 1);
        }
    }
}

static void on_their_servers(void)
{
    unsigned int i, v;

    for ( i = 1; i <= DOMAINS; i++ )
        for ( v = 0; v < guest[i]->units; v++ )
        {
            const struct vlib_unit *vu = guest[i]->unit[v]->priv;
            const struct vlib_domain *vd = vu->domain;
            const struct vlib_reservation *r =
                !vd ? NULL : vd->active ? vd->active->reservation : vd->adopter;

            if ( vd && vd->unsettled )
                continue;
            CHECK(vu->entity.account ==
                  (r ? r->server[v % r->nr_servers] : NULL),
                  "vCPU %u of domain %u is on another server", v, i);
        }
}

static void cpu_is_sound(unsigned int cpu)
{
    struct vlib_task tasks[DOMAINS * VCPUS + 1] = {
        { 0, VLIB_FLOOR_BUDGET, VLIB_FLOOR_PERIOD },
    };
    struct vlib_cpu_info info = { VERSION, .cpu = cpu };
    uint64_t sum = 0;
    unsigned int i, s, n = 1;
    struct vlib_verdict verdict;

    for ( i = 0; i < vlib_nr_reservations; i++ )
        for ( s = 0; s < vlib_order[i]->nr_servers; s++ )
        {
            const struct vlib_account *a = vlib_order[i]->server[s];

            if ( !cpumask_test_cpu(cpu, &a->admitted) )
                continue;
            CHECK(cpumask_test_cpu(cpu, &vlib_order[i]->cpus), "CPU %u", cpu);
            tasks[n++] = (struct vlib_task){ a->id, a->server.budget,
                                             a->server.period };
        }
    for ( i = 0; i < n; i++ )
        sum += vlib_share(tasks[i].budget, tasks[i].period);
    CHECK(admit(tasks, n, LATE, &verdict), "CPU %u: %u misses", cpu,
          verdict.id);
    if ( machine_call(dom0, VLIB_OP_get_cpu, 0, 0, &info) )
        return;
    CHECK(info.admitted == sum, "CPU %u: %"PRIu64", not %"PRIu64, cpu,
          info.admitted, sum);
}

static uint64_t used_by_cpus(void)
{
    uint64_t sum = 0;
    unsigned int cpu;

    for_each_cpu ( cpu, &machine.pool )
    {
        struct vlib_cpu_info info = { VERSION, .cpu = cpu };

        CHECK(!machine_call(dom0, VLIB_OP_get_cpu, 0, 0, &info), "CPU %u", cpu);
        sum += info.foreground + info.background + info.idle;
    }
    return sum;
}

/* What each server has had in foreground, or had before this time. */
static struct had {
    s_time_t budget, period;
    uint64_t foreground;
    bool there, admitted;
} had[DOMAINS + 1][VCPUS];

static struct vlib_account *account(unsigned int i, unsigned int s)
{
    struct vlib_reservation *r = vlib_reservation_find(i);

    return r && s < r->nr_servers ? r->server[s] : NULL;
}

static struct had now_had(unsigned int i, unsigned int s)
{
    struct vlib_account *a = account(i, s);
    struct vlib_server_info info = { VERSION, .id = i, .server = s };
    struct had h = { 0 };

    if ( !a || machine_call(dom0, VLIB_OP_get_server, 0, 0, &info) )
        return h;
    h.there = true;
    h.budget = a->server.budget;
    h.period = a->server.period;
    h.foreground = info.total.foreground;
    h.admitted = !info.unadmitted && info.vcpus;
    return h;
}

/* Whether one of the vCPUs on the server spins. */
static bool spins(unsigned int i, unsigned int s)
{
    unsigned int v;

    for ( v = 0; v < guest[i]->units; v++ )
    {
        const struct vlib_unit *vu = guest[i]->unit[v]->priv;

        if ( vu->entity.account && vu->entity.account == account(i, s) &&
             guest[i]->unit[v]->runnable && !vu->gated )
            return true;
    }
    return false;
}

/* Runs, and compares what servers and CPUs had with what they may have. */
static void observe(s_time_t time, bool guaranteed)
{
    s_time_t start = fake_now, passed;
    unsigned int i, s, cpus = cpumask_weight(&machine.pool);
    uint64_t before = used_by_cpus();
    bool spun[DOMAINS + 1][VCPUS];

    for ( i = 1; i <= DOMAINS; i++ )
        for ( s = 0; s < VCPUS; s++ )
        {
            had[i][s] = now_had(i, s);
            spun[i][s] = spins(i, s);
        }
    run(time);
    passed = fake_now - start;
    CHECK(used_by_cpus() - before == (uint64_t)passed * cpus,
          "%"PRIu64" ns of %u CPUs in %ld", used_by_cpus() - before, cpus,
          passed);
    for ( i = 1; i <= DOMAINS; i++ )
        for ( s = 0; s < VCPUS; s++ )
        {
            struct had *h = &had[i][s], is = now_had(i, s);
            s_time_t got = is.foreground - h->foreground, periods;

            if ( !h->there || !is.there )
                continue;
            periods = DIV_ROUND_UP(passed, h->period) + 1;
            CHECK(got <= periods * h->budget + LATE,
                  "server %u of %u: %ld ns in %ld, C %ld T %ld", s, i, got,
                  passed, h->budget, h->period);
            if ( !guaranteed || !h->admitted || !is.admitted || !spun[i][s] ||
                 !spins(i, s) )
                continue;
            guarantees++;
            periods = passed / h->period - 2;
            CHECK(got >= periods * (h->budget - LATE),
                  "server %u of %u: only %ld ns in %ld, C %ld T %ld", s, i,
                  got, passed, h->budget, h->period);
        }
}

static void random_set(void)
{
    unsigned int i, v, cpu;

    for ( i = 1; i <= DOMAINS; i++ )
    {
        guest[i] = machine_domain(i, any(1, VCPUS), any(0, CPUS - 2), 1);
        for ( v = 0; v < guest[i]->units; v++ )
            guest[i]->unit[v]->affinity.word[0] = any(1, (1 << CPUS) - 1) |
                1ULL << guest[i]->unit[v]->res->master_cpu;
        reserve(i);
        bind(i);
    }
    for ( i = 0; i < STEPS; i++ )
    {
        step();
        on_their_servers();
        for_each_cpu ( cpu, &machine.pool )
            cpu_is_sound(cpu);
        observe(any(1, 10) * MS, false);
    }
    run(40 * MS);
    observe(120 * MS, true);
    if ( !cpumask_test_cpu(CPUS - 1, &machine.pool) )
        machine_add_cpu(CPUS - 1);
    for ( i = 1; i <= DOMAINS; i++ )
    {
        struct vlib_reserve op = { VERSION, .id = i };

        machine_call(dom0, VLIB_OP_unreserve, 0, 0, &op);
        machine_destroy(guest[i]);
        run(MS); /* the sweep */
    }
}

int main(int argc, char **argv)
{
    uint64_t only = check_argument(argc, argv), i;

    machine_init(CPUS);
    machine_patience = 1000;
    dom0 = hardware_domain;
    for ( i = only ?: 1; i <= (only ?: SETS); i++ )
    {
        check_seed = seed.state = i;
        random_set();
    }
    printf("moving: passed, %u sets, %"PRIu64" changes accepted, %"PRIu64
           " refused, %u moves, %"PRIu64" guarantees kept\n", SETS, accepted,
           refused, machine.moves, guarantees);
    return 0;
}
