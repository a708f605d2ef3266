// SPDX-License-Identifier: Apache-2.0
/*
 * The program of the guests while a scheduler is measured.
 *
 *   task spin                    never stops
 *   task pause [N]               N processes never stop, 1 without N; every
 *                                10,000 / N instructions the emulator runs
 *                                its next CPU, which otherwise waits for the
 *                                next timer: for measurements of all CPUs
 *   task periodic N PERIOD BURN  N times: sleeps until the next multiple of
 *                                PERIOD nanoseconds, executes BURN
 *                                instructions; prints, in nanoseconds, how
 *                                late it woke: median, 99th percentile,
 *                                99.9th, and the most
 *
 * It is in C, because a runtime's own threads would also wake the domain. Its
 * loops consist of no-operations: an emulator counts them at little cost, so
 * that a domain can spin for seconds.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 500

static void block(void)
{
    asm volatile(".rept 500\n\tnop\n\t.endr");
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int order(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int periodic(long n, int64_t period, int64_t burn)
{
    int64_t *late = calloc(n, sizeof(*late));
    int64_t next = now() / period * period + period;

    if (!late || n < 1 || period < 1)
        return 1;
    /* Without slack, the guest's timer expires when it is due. */
    if (prctl(PR_SET_TIMERSLACK, 1UL)) {
        perror("task: timer slack");
        return 1;
    }
    for (long i = 0; i < n; i++) {
        struct timespec t = {
            .tv_sec = next / 1000000000, .tv_nsec = next % 1000000000,
        };

        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)) {
            fprintf(stderr, "task: the sleep was interrupted\n");
            return 1;
        }
        late[i] = now() - next;
        for (int64_t done = 0; done < burn; done += BLOCK)
            block();
        /* A missed period is skipped. */
        next += period;
        while (next < now())
            next += period;
    }
    qsort(late, n, sizeof(*late), order);
    printf("%lld %lld %lld %lld\n", (long long)late[n / 2],
           (long long)late[n * 99 / 100], (long long)late[n * 999 / 1000],
           (long long)late[n - 1]);
    return 0;
}

static void pausing(int threads)
{
    int blocks = 10000 / threads / BLOCK;

    for (int i = 1; i < threads; i++)
        if (!fork()) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            break;
        }
    for (;;) {
        for (int i = 0; i < blocks || !i; i++)
            block();
        asm volatile("pause");
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "spin"))
        for (;;)
            block();
    if (argc == 2 && !strcmp(argv[1], "pause"))
        pausing(1);
    if (argc == 3 && !strcmp(argv[1], "pause") && atoi(argv[2]) > 0)
        pausing(atoi(argv[2]));
    if (argc == 5 && !strcmp(argv[1], "periodic"))
        return periodic(atol(argv[2]), atoll(argv[3]), atoll(argv[4]));
    fprintf(stderr, "usage: task spin | task pause [N] | task periodic N PERIOD BURN\n");
    return 2;
}
