// SPDX-License-Identifier: Apache-2.0
/*
 * m_jump, the memory-bound program of the vLibOS paper (listing 2): it writes
 * to every cache line of an array that is larger than a last-level cache, and
 * advances by 8 KiB after each write, so that no row buffer serves two writes.
 *
 *   mjump batch                    without end
 *   mjump task WARM BUDGET PERIOD JOBS [BYTES]
 *                                  prints "ready" when it has its memory, and
 *                                  waits for a line; runs for WARM of its own
 *                                  CPU time, prints "warm", and waits for
 *                                  another line; then it is a real-time task
 *                                  (SCHED_FIFO): JOBS times, at each multiple
 *                                  of PERIOD, it runs for BUDGET of its CPU
 *                                  time; prints the writes and the CPU time of
 *                                  these in ns
 *
 * WARM, BUDGET and PERIOD are nanoseconds. BYTES is how much of the array it
 * uses: a multiple of 8 KiB, all of it by default.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE 64
#define JUMP 8192
#define PAGE 4096
#define ARRAY (6 << 20)
/* Writes between two readings of the clock: in emulation a reading costs as
 * much as several writes. */
#define BLOCK 64

static volatile uint32_t array[ARRAY / sizeof(uint32_t)];
static uint32_t bytes = ARRAY;

static void block(void)
{
    static uint32_t i, j;

    for (int n = 0; n < BLOCK; n++) {
        array[i / sizeof(*array)] = i;
        i += JUMP;
        if (i >= bytes) {
            j = (j + LINE) % JUMP;
            i = j;
        }
    }
}

/* Writing to a page allocates and clears it. */
static void get_memory(void)
{
    for (uint32_t i = 0; i < ARRAY; i += PAGE)
        array[i / sizeof(*array)] = i;
}

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t used(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Runs until the process has used this much CPU time. */
static int64_t work(int64_t until)
{
    int64_t writes = 0;

    for (; used() < until; writes += BLOCK)
        block();
    return writes;
}

static void say_and_wait(const char *what)
{
    puts(what);
    fflush(stdout);
    while (getchar() > '\n')
        ;
}

static int task(int64_t warm, int64_t budget, int64_t period, long jobs)
{
    static const struct sched_param priority = { .sched_priority = 1 };
    int64_t writes = 0, first, paid, next;

    if (warm < 0 || budget < 1 || period < budget || jobs < 1)
        return 2;
    get_memory();
    say_and_wait("ready");
    work(used() + warm);
    if (sched_setscheduler(0, SCHED_FIFO, &priority)) {
        perror("mjump: sched_setscheduler(SCHED_FIFO)");
        return 1;
    }
    say_and_wait("warm");
    next = clock_ns(CLOCK_MONOTONIC) / period * period + period;
    first = used();
    for (paid = first; jobs > 0; jobs--) {
        struct timespec t = {
            .tv_sec = next / 1000000000, .tv_nsec = next % 1000000000,
        };

        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL)) {
            fprintf(stderr, "mjump: the sleep was interrupted\n");
            return 1;
        }
        /* The next job has less by the overrun of this one. */
        paid += budget;
        writes += work(paid);
        next += period;
    }
    printf("%lld %lld\n", (long long)writes, (long long)(used() - first));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "batch"))
        for (get_memory();;)
            block();
    if (argc == 7)
        bytes = (uint32_t)atol(argv[6]);
    if ((argc == 6 || argc == 7) && !strcmp(argv[1], "task") &&
        bytes >= JUMP && bytes <= ARRAY && bytes % JUMP == 0)
        return task(atoll(argv[2]), atoll(argv[3]), atoll(argv[4]),
                    atol(argv[5]));
    fprintf(stderr,
            "usage: mjump batch | mjump task WARM BUDGET PERIOD JOBS [BYTES]\n");
    return 2;
}
