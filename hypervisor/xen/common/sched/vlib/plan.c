/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a trial's servers are to be. A server needs each CPU on which it has a
 * vCPU. vCPUs that may be moved are planned one by one, each on the allowed CPU
 * where least is reserved. If a CPU does not take all servers that are planned
 * there, one of them is planned elsewhere, until all fit or no CPU is left.
 */
#include "trial.h"

#define PLANNED_AT_ONCE 8   /* vCPUs */
#define SHIFTED_AT_MOST 8   /* servers of which one may leave a CPU */

/*
 * CPUs that are given up for others; and where a server makes room. Those with
 * least reserved come first, so that more would hardly take it.
 */
#define RELIEVED_AT_MOST 24
#define LEFT_AT_MOST     4

#define trial vlib_trial_state

static unsigned int server_of(const struct vlib_unit *vu)
{
    return vlib_server_number(vu, trial.q.servers);
}

static bool asks_for(unsigned int server)
{
    return trial.q.only == VLIB_ALL || trial.q.only == server;
}

static bool changes(void)
{
    const struct vlib_server *s = vlib_values(trial.q.r);

    return trial.q.budget != s->budget || trial.q.period != s->period;
}

/* A server is planned on a CPU; and not any more. */
static void ask(unsigned int server, unsigned int cpu)
{
    if ( cpumask_test_cpu(cpu, &trial.need[server]) )
        return;
    cpumask_set_cpu(cpu, &trial.need[server]);
    trial.asked[cpu]++;
}

static void unask(unsigned int server, unsigned int cpu)
{
    cpumask_clear_cpu(cpu, &trial.need[server]);
    trial.asked[cpu]--;
}

/* A CPU is examined if more is asked of it than what is admitted there. */
static void examine(unsigned int cpu)
{
    if ( trial.asked[cpu] &&
         (trial.asked[cpu] > trial.have[cpu] || changes()) )
        cpumask_set_cpu(cpu, &trial.left);
    else
        cpumask_clear_cpu(cpu, &trial.left);
}

static void examine_all(void)
{
    unsigned int cpu;

    trial.planning = false;
    for ( cpu = 0; cpu < nr_cpu_ids; cpu++ )
        examine(cpu);
}

/*
 * The CPU of a mask on which least is reserved, if it can take the server as
 * well; nr_cpu_ids: none can. The CPU 'now' goes first among equals. A sum of
 * C / T above 1 never fits.
 */
static unsigned int least_reserved(const cpumask_t *cpus, unsigned int server,
                                   unsigned int now)
{
    const struct vlib_server *s = vlib_values(trial.q.r);
    uint64_t before = vlib_share(s->budget, s->period), least = 0;
    uint64_t own = vlib_share(trial.q.budget, trial.q.period);
    unsigned int cpu, best = nr_cpu_ids;

    for_each_cpu ( cpu, cpus )
    {
        unsigned int n = trial.asked[cpu] +
                         !cpumask_test_cpu(cpu, &trial.need[server]);
        uint64_t sum = vlib_admitted(cpu) - trial.have[cpu] * before + n * own;

        if ( n > trial.limit[cpu] || sum > 1000000 )
            continue;
        if ( cpu == trial.q.first && n == 1 )
            return cpu;
        if ( best < nr_cpu_ids &&
             (sum > least || (sum == least && cpu != now)) )
            continue;
        least = sum;
        best = cpu;
    }
    return best;
}

void vlib_plan_continue(void)
{
    cpumask_t cpus;
    unsigned int n = 0;
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &trial.movable->units, list )
    {
        unsigned int now = vlib_unit_place(vu);

        if ( vu->planned == trial.number )
            continue;
        if ( n++ == PLANNED_AT_ONCE )
            break;
        vlib_unit_allowed(vu, &cpus);
        vu->goal = least_reserved(&cpus, server_of(vu), now);
        if ( vu->goal >= nr_cpu_ids )
            vu->goal = now;
        vu->planned = trial.number;
        ask(server_of(vu), vu->goal);
    }
    if ( n <= PLANNED_AT_ONCE )
        examine_all();
}

/*
 * The CPUs on which a server may be with all its vCPUs that are planned on
 * this one; without a domain that may be moved, only this one.
 */
void vlib_plan_alternatives(unsigned int server, unsigned int cpu,
                            cpumask_t *cpus)
{
    struct vlib_unit *vu;
    cpumask_t allowed;
    bool any = false;

    cpumask_clear(cpus);
    cpumask_set_cpu(cpu, cpus);
    if ( !trial.movable )
        return;
    list_for_each_entry ( vu, &trial.movable->units, list )
    {
        if ( server_of(vu) != server || vu->planned != trial.number ||
             vu->goal != cpu )
            continue;
        vlib_unit_allowed(vu, &allowed);
        if ( any )
            cpumask_and(cpus, cpus, &allowed);
        else
            cpumask_copy(cpus, &allowed);
        any = true;
    }
}

static void shift(unsigned int server, unsigned int from, unsigned int to)
{
    struct vlib_unit *vu;

    list_for_each_entry ( vu, &trial.movable->units, list )
        if ( server_of(vu) == server && vu->planned == trial.number &&
             vu->goal == from )
            vu->goal = to;
    unask(server, from);
    ask(server, to);
    examine(from);
    examine(to);
}

bool vlib_plan_relieve(unsigned int cpu)
{
    unsigned int server = trial.q.servers, tries = 0, to;
    cpumask_t cpus;

    trial.limit[cpu] = trial.asked[cpu] - 1;
    if ( !trial.movable ||
         trial.relieved++ == (trial.q.leave || trial.q.first
                              ? LEFT_AT_MOST : RELIEVED_AT_MOST) )
        return false;
    while ( server-- && tries < SHIFTED_AT_MOST )
    {
        if ( !asks_for(server) || !cpumask_test_cpu(cpu, &trial.need[server]) )
            continue;
        tries++;
        vlib_plan_alternatives(server, cpu, &cpus);
        cpumask_clear_cpu(cpu, &cpus);
        to = least_reserved(&cpus, server, cpu);
        if ( to >= nr_cpu_ids )
            continue;
        shift(server, cpu, to);
        return true;
    }
    return false;
}

/* A vCPU of any domain: its server needs the CPU where it is. */
static void stays(struct vlib_unit *vu)
{
    unsigned int cpu = vlib_unit_place(vu);

    trial.places = vlib_plan_digest(trial.places, cpu);
    cpumask_set_cpu(cpu, &trial.need[server_of(vu)]);
}

/* A vCPU that may be moved: it stays as well, or is yet to be planned. */
static void movable_stays(void)
{
    struct vlib_unit *vu;

    if ( !trial.movable )
        return;
    list_for_each_entry ( vu, &trial.movable->units, list )
    {
        vu->goal = vlib_unit_place(vu);
        if ( trial.planning )
            trial.places = vlib_plan_digest(trial.places, vu->goal);
        else
            vu->planned = trial.number;
    }
}

/* Servers that are not asked for need the CPUs where they are admitted. */
static void count(void)
{
    const struct vlib_reservation *r = trial.q.r;
    unsigned int i, cpu;

    for ( i = 0; i < r->nr_servers; i++ )
    {
        for_each_cpu ( cpu, &r->server[i]->admitted )
            trial.have[cpu]++;
        if ( !asks_for(i) )
            cpumask_copy(&trial.need[i], &r->server[i]->admitted);
    }
    for ( i = 0; i < trial.q.servers; i++ )
        for_each_cpu ( cpu, &trial.need[i] )
            trial.asked[cpu]++;
}

/*
 * The domain whose vCPUs may be moved: it alone runs on r, and on nothing else.
 */
static const struct vlib_domain *movable(const struct vlib_query *q)
{
    const struct vlib_reservation *r = q->r;
    const struct vlib_domain *vd = q->added ?: r->adopted;

    if ( !vd && r->nr_callees == 1 )
        vd = list_entry(r->callees.next, struct vlib_callee, list)->domain;
    else if ( r->nr_callees || (q->added && r->adopted) )
        return NULL;
    return vd && vlib_domain_movable(vd, r) ? vd : NULL;
}

void vlib_plan_begin(void)
{
    unsigned int i;

    trial.relieved = 0;
    trial.movable = movable(&trial.q);
    trial.planning = trial.q.added && trial.movable;
    for ( i = 0; i < trial.q.servers; i++ )
        cpumask_clear(&trial.need[i]);
    memset(trial.asked, 0, sizeof(trial.asked));
    memset(trial.have, 0, sizeof(trial.have));
    memset(trial.limit, 0xff, sizeof(trial.limit));
    cpumask_clear(&trial.left);
    vlib_each_user(trial.q.r, trial.planning ? NULL : trial.q.added, stays);
    movable_stays();
    count();
    if ( !trial.planning )
        examine_all();
}

unsigned int vlib_plan_last_on(unsigned int cpu)
{
    unsigned int i = trial.q.servers;

    while ( i-- > 1 )
        if ( asks_for(i) && cpumask_test_cpu(cpu, &trial.need[i]) )
            break;
    return i;
}
