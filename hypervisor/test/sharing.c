/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Background time is shared by domains first, then by their vCPUs. A CPU that
 * leaves a pool and returns owes no time.
 */
#include <inttypes.h>

#include "check.h"
#include "simulator.h"

#define MS 1000000LL
#define NEVER_BLOCKS VLIB_NEVER

static void show(void)
{
    unsigned int i;

    for ( i = 0; i < sim.tasks; i++ )
        fprintf(stderr, "task %u: foreground %"PRIu64" background %"PRIu64"\n",
                i, sim.task[i].spent.foreground, sim.task[i].spent.background);
}

static struct task *spinner(void)
{
    struct task *t = sim_task(0, NULL, false);

    sim_wake(t, NEVER_BLOCKS);
    return t;
}

static struct task *siblings(struct task *of, unsigned int n)
{
    struct task *t = of;

    while ( n-- )
    {
        t = sim_sibling(of, 0, NULL);
        sim_wake(t, NEVER_BLOCKS);
    }
    return t;
}

static s_time_t had(const struct task *first, const struct task *last)
{
    s_time_t sum = 0;

    for ( ; first <= last; first++ )
        sum += first->spent.background;
    return sum;
}

static void near(const char *what, s_time_t is, s_time_t should, s_time_t by)
{
    CHECK(llabs(is - should) <= by, "%s: %"PRId64" ns, not %"PRId64, what, is,
          should);
}

/* A guest with many vCPUs beside a guest with one: each has half. */
static void domains_share(unsigned int vcpus)
{
    struct task *one, *many, *last, *t;
    s_time_t time = vcpus * 100 * MS;

    sim_init(1, 0, 0);
    one = spinner();
    many = spinner();
    last = siblings(many, vcpus - 1);
    sim_run(time);
    near("the one", had(one, one), time / 2, VLIB_SLICE);
    near("the many", had(many, last), time / 2, VLIB_SLICE);
    for ( t = many; t <= last; t++ )
        near("of the many", had(t, t), time / 2 / vcpus, VLIB_SLICE);
    sim_finish();
}

/* The longest wait: at most one turn of another domain. */
static s_time_t waited;

static void no_long_wait(const struct cpu *c, const struct vlib_entity *e,
                         s_time_t from, s_time_t to)
{
    (void)c;
    waited = e == &sim.task[0].vlib ? 0 : waited + to - from;
    CHECK(waited <= VLIB_SLICE, "waited for %"PRId64" ns", waited);
}

static void turns_alternate(void)
{
    sim_init(1, 0, 0);
    spinner();
    siblings(spinner(), 13);
    waited = 0;
    sim.ran = no_long_wait;
    sim_run(1000 * MS);
    sim_finish();
}

/* Sleeping vCPUs leave their part to their domain, and claim none back. */
static void sleepers_claim_nothing(void)
{
    struct task *one, *many, *last;
    s_time_t before, half;

    sim_init(1, 0, 0);
    one = spinner();
    many = spinner();
    last = siblings(many, 3);
    sim_sleep(last);
    sim_run(400 * MS);
    near("the one", had(one, one), 200 * MS, VLIB_SLICE);
    near("each of three", had(many, many), 200 * MS / 3, VLIB_SLICE);
    before = had(last, last);
    sim_wake(last, NEVER_BLOCKS);
    sim_run(800 * MS);
    near("the one", had(one, one), 400 * MS, VLIB_SLICE);
    near("each of four", had(last, last) - before, 50 * MS, 2 * VLIB_SLICE);
    half = had(one, one);
    for ( ; many <= last; many++ )
        sim_sleep(many);
    sim_run(1000 * MS);
    near("alone", had(one, one) - half, 200 * MS, 0);
    for ( many = one + 1; many <= last; many++ )
        sim_wake(many, NEVER_BLOCKS);
    sim_run(1400 * MS);
    near("the one", had(one, one) - half, 400 * MS, 2 * VLIB_SLICE);
    sim_finish();
}

/* Spared vCPUs get no more of the time that the throttle does not deny. */
static void spared_share(void)
{
    struct task *one, *many, *last;

    sim_init(1, 0, 0);
    one = spinner();
    many = spinner();
    last = siblings(many, 4);
    sim_run(10 * MS);
    sim_spare(many, true);
    sim_spare(many + 1, true);
    sim_run(1000 * MS);
    near("the one", had(one, one), 500 * MS, VLIB_SLICE);
    near("of five", had(last, last), 100 * MS, VLIB_SLICE);
    near("of five, spared", had(many, many), 100 * MS, VLIB_SLICE);
    sim_finish();
}

/*
 * A CPU leaves its pool and returns with the same memory. What a vCPU had
 * there before is no debt towards one that comes later.
 */
static void renewed_runqueue(void)
{
    struct task *old, *late;
    s_time_t before;

    sim_init(1, 0, 0);
    old = spinner();
    late = sim_task(0, NULL, false);
    sim_run(8000 * MS);
    sim_sleep(old);
    sim_renew(0);
    sim_wake(late, NEVER_BLOCKS);
    sim_wake(old, NEVER_BLOCKS);
    before = had(old, old);
    sim_run(14000 * MS);
    near("the old one", had(old, old) - before, 3000 * MS, VLIB_SLICE);
    sim_finish();
}

/*
 * Time charged on another's behalf does not count as the running vCPU's
 * overrun.
 */
static void charge_is_no_overrun(void)
{
    struct account *a;

    sim_init(1, 0, 0);
    a = sim_account(2 * MS, 10 * MS);
    sim_admit(a, 0, true);
    sim_wake(sim_task(0, a, false), NEVER_BLOCKS);
    sim_run(MS / 2);
    sim_charge(a, 2 * MS);
    sim_run(100 * MS);
    CHECK(!sim.cpu[0].queue.overrun, "%"PRId64" ns",
          sim.cpu[0].queue.overrun);
    sim_finish();
}

int main(void)
{
    check_show = show;
    domains_share(2);
    domains_share(14);
    domains_share(27);
    turns_alternate();
    sleepers_claim_nothing();
    spared_share();
    renewed_runqueue();
    charge_is_no_overrun();
    printf("sharing: passed\n");
    return 0;
}
