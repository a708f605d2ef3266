/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compares the admission test with a simulation from the critical instant: all
 * tasks are released at once, nothing begins for 'late', and the first job of
 * every task but the one under test runs 'late' longer than its budget. The
 * simulation steps through time one unit at a time, and does not compute
 * response times.
 */
#include <inttypes.h>

#include "admit.h"
#include "check.h"
#include "seed.h"

#define SETS 40000
#define MOST 5
#define S 1000000000LL

static struct vlib_task tasks[1024];
static unsigned int count;
static s_time_t late;
static uint64_t admitted, refused;

static void show(void)
{
    unsigned int i;

    fprintf(stderr, "late %ld\n", late);
    for ( i = 0; i < count && i < 16; i++ )
        fprintf(stderr, "C %ld T %ld\n", tasks[i].budget, tasks[i].period);
}

/* Whether the first job of task n is done by the end of its period. */
static bool in_time(const struct vlib_task *list, unsigned int n)
{
    s_time_t work[MOST], now;
    unsigned int i;

    for ( i = 0; i < count; i++ )
        work[i] = list[i].budget + (i == n ? 0 : late);
    for ( now = 0; work[n] && now < list[n].period; now++ )
    {
        unsigned int first = n;

        for ( i = 0; i < count; i++ )
            if ( now && now % list[i].period == 0 && i != n )
                work[i] += list[i].budget;
        if ( now < late )
            continue;
        for ( i = 0; i < count; i++ )
            if ( work[i] && list[i].period < list[first].period )
                first = i;
        work[first]--;
    }
    return !work[n];
}

static bool all_in_time(const struct vlib_task *list)
{
    unsigned int i;

    for ( i = 0; i < count; i++ )
        if ( !in_time(list, i) )
            return false;
    return true;
}

/* Returns whether all periods are distinct. */
static bool random_tasks(struct seed *s)
{
    unsigned int i, j;
    bool distinct = true;

    count = seed_range(s, 1, MOST);
    for ( i = 0; i < count; i++ )
    {
        tasks[i].id = i + 1;
        tasks[i].period = seed_range(s, 2, seed_chance(s, 50) ? 12 : 60);
        tasks[i].budget = seed_range(s, 1, max(tasks[i].period / 2,
                                               (s_time_t)1));
        for ( j = 0; j < i; j++ )
            distinct = distinct && tasks[j].period != tasks[i].period;
    }
    return distinct;
}

static void random_set(struct seed *s)
{
    struct vlib_task before[MOST];
    struct vlib_verdict verdict = { 0 };
    bool distinct, fits, admits;

    late = seed_chance(s, 50) ? 0 : seed_range(s, 1, 3);
    distinct = random_tasks(s);
    memcpy(before, tasks, sizeof(before));
    fits = all_in_time(before);
    admits = admit_in_steps(tasks, count, late, &verdict, seed_range(s, 1, 9));
    CHECK(!admits || fits, "admitted, and misses");
    if ( distinct && !late )
        CHECK(admits == fits, "refused, but would not miss");
    if ( admits )
    {
        admitted++;
        return;
    }
    refused++;
    CHECK(verdict.id >= 1 && verdict.id <= count,
          "refused because of task %u", verdict.id);
    CHECK(verdict.response > before[verdict.id - 1].period, "in time after %ld",
          verdict.response);
}

static void fill(unsigned int n, s_time_t budget, s_time_t period,
                 s_time_t step)
{
    unsigned int i;

    count = n;
    for ( i = 0; i < n; i++ )
        tasks[i] = (struct vlib_task){ i + 1, budget, period + i * step };
}

static void extremes(void)
{
    struct vlib_verdict verdict;

    late = 0;
    fill(1, 10 * S, 10 * S, 0);
    CHECK(admit(tasks, count, 0, &verdict), "refused all of one CPU");
    CHECK(!admit(tasks, count, 1, &verdict),
          "admitted all of one CPU, and late");
    CHECK(verdict.id == 1 && verdict.response == 10 * S + 1,
          "response time %ld", verdict.response);
    fill(0, 0, 0, 0);
    CHECK(admit(tasks, count, 60000, &verdict), "refused no task");
    fill(1024, 10 * S, 10 * S, 0);
    CHECK(!admit(tasks, count, 0, &verdict), "admitted 1,024 CPUs' worth");
    fill(1024, 10 * S / 1024, 10 * S, 0);
    CHECK(admit(tasks, count, 0, &verdict), "refused all of one CPU");
    fill(1024, 10 * S / 1024 + 1, 10 * S, 0);
    CHECK(!admit(tasks, count, 0, &verdict),
          "admitted 1,024 ns more than one CPU");
    fill(1024, 20000, 200000, 9765625);
    CHECK(admit(tasks, count, 0, &verdict), "refused short to long periods");
    fill(1024, 200000, 200000, 9765625);
    CHECK(!admit(tasks, count, 0, &verdict),
          "admitted late short to long periods");
    fill(1024, 9 * S, 10 * S, -9000000);
    CHECK(!admit(tasks, count, S, &verdict), "admitted all late by a second");
    /* The response time of each takes hundreds of steps from the one before. */
    fill(1001, 20000, 10 * S, 1);
    tasks[0] = (struct vlib_task){ 1, 199600, 200000 };
    CHECK(admit(tasks, count, 0, &verdict), "refused after many steps");
    tasks[0] = (struct vlib_task){ 1, 199999, 200000 };
    tasks[1] = (struct vlib_task){ 2, 50000, 10 * S };
    CHECK(admit(tasks, 2, 0, &verdict), "refused exactly one CPU");
    tasks[1].budget++;
    CHECK(!admit(tasks, 2, 0, &verdict), "admitted 1 ns more than one CPU");
}

int main(int argc, char **argv)
{
    struct seed s;
    uint64_t only = check_argument(argc, argv), i;

    check_show = show;
    for ( i = only ?: 1; i <= (only ?: SETS); i++ )
    {
        check_seed = s.state = i;
        random_set(&s);
    }
    check_seed = 0;
    extremes();
    printf("admission: passed, %"PRIu64" sets admitted, %"PRIu64" refused\n",
           admitted, refused);
    return 0;
}
