/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Admission and placement on a large machine: 1,000 servers on 64 CPUs. A
 * change takes at most 1 ms of counted work: basic blocks of the module's
 * code, at six cycles each and 3 GHz.
 */
#include "check.h"
#include "machine.h"
#include "seed.h"

#define MS 1000000LL
#define VERSION .version = VLIB_ABI_VERSION
#define DOMAINS 250
#define VCPUS 4
#define MOST 500000                 /* basic blocks in 1 ms */
#define LOCKED 50000                /* under a lock */

static struct domain *dom0;
static uint64_t longest;
static struct seed seed = { 1 };

static long change(unsigned long cmd, void *op)
{
    uint64_t before = fake_blocks;
    long rc = machine_call(dom0, cmd, 0, 0, op);

    longest = max(longest, fake_blocks - before);
    return rc;
}

static long reserve(unsigned int id, unsigned int servers, s_time_t budget,
                    s_time_t period)
{
    struct vlib_reserve op = { VERSION, .id = id, .budget = budget,
                               .period = period, .servers = servers };

    return change(VLIB_OP_reserve, &op);
}

static long adopt(unsigned int id, domid_t domid)
{
    struct vlib_bind op = { VERSION, .id = id, .domid = domid };

    return change(VLIB_OP_adopt, &op);
}

static void spread(struct domain *d, uint64_t cpus)
{
    unsigned int i;

    for ( i = 0; i < d->units; i++ )
        d->unit[i]->affinity.word[0] = cpus;
}

int main(void)
{
    unsigned int d, i, admitted = 0, refused = 0;
    uint64_t lowest = UINT64_MAX, highest = 0;

    machine_init(MAX_CPUS);
    dom0 = hardware_domain;
    for ( d = 1; d <= DOMAINS; d++ )
    {
        s_time_t period = seed_range(&seed, 10, 100) * MS;

        spread(machine_domain(d, VCPUS, d % MAX_CPUS, 1), ~1ULL);
        CHECK(!reserve(d, VCPUS, period / 25, period), "not made");
        CHECK(!adopt(d, d), "%u of %u do not fit", d, DOMAINS);
    }
    for ( i = 1; i < MAX_CPUS; i++ )
    {
        struct vlib_cpu_info cpu = { VERSION, .cpu = i };

        CHECK(!machine_call(dom0, VLIB_OP_get_cpu, 0, 0, &cpu), "CPU %u", i);
        lowest = min(lowest, cpu.admitted);
        highest = max(highest, cpu.admitted);
    }
    CHECK(highest - lowest <= 41000, "%"PRIu64" to %"PRIu64" millionths",
          lowest, highest);
    /* Changes of all kinds, until some are refused on every CPU. */
    for ( i = 0; i < 1000; i++ )
    {
        s_time_t period = seed_range(&seed, 10, 100) * MS;
        long rc;

        d = seed_range(&seed, 1, DOMAINS);
        rc = reserve(d, seed_range(&seed, 1, VCPUS),
                     period * seed_range(&seed, 1, 12) / 100, period);
        CHECK(!rc || rc == -ENOSPC, "%ld", rc);
        admitted += !rc;
        refused += rc == -ENOSPC;
        fake_now += MS;
    }
    CHECK(longest <= MOST, "a change takes %"PRIu64" blocks, at most %u",
          longest, MOST);
    CHECK(fake_module_lock.longest <= LOCKED, "%"PRIu64" blocks with the "
          "module's lock held, at most %u", fake_module_lock.longest, LOCKED);
    printf("placed: passed, %u changes, %u refused, %u moves, at most "
           "%"PRIu64" of %u blocks a change, %"PRIu64" under the lock\n",
           admitted, refused, machine.moves, longest, MOST,
           fake_module_lock.longest);
    return 0;
}
