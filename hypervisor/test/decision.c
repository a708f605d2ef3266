/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts the instructions of a decision by single-stepping it in a child
 * process: exact, the same each time, and without a PMU.
 *
 * A CPU has N reservations, which have half of its time together and always
 * want all of it, and one vCPU without a reservation. So at each decision
 * there is a foreground to choose from, a budget that ends, and a refill to
 * queue or to use.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runqueue.h"

#define MOST 1024
#define DECISIONS 64            /* counted, after two for each reservation */
#define PERIOD 100000000LL

static struct vlib_runqueue queue;
static struct vlib_account accounts[MOST];
static struct vlib_entity entities[MOST + 1];
static struct vlib_group groups[MOST + 1];
static volatile bool *counted;  /* shared with the parent: ends a count */

void vlib_kick(unsigned int cpu)
{
    (void)cpu;
}

void vlib_replan(unsigned int cpu, s_time_t until)
{
    (void)cpu;
    (void)until;
}

static s_time_t decide(s_time_t now)
{
    s_time_t until;

    vlib_decide(&queue, now, &until);
    return until;
}

static s_time_t nothing(s_time_t now)
{
    return now;
}

static s_time_t (*volatile work)(s_time_t now);

static s_time_t count(s_time_t (*what)(s_time_t now), s_time_t now)
{
    work = what;
    *counted = false;
    raise(SIGUSR1);
    now = work(now);
    *counted = true;
    return now;
}

static void child(unsigned int n)
{
    s_time_t now = 0;
    unsigned int i;

    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    vlib_runqueue_init(&queue, 0, 0);
    for ( i = 0; i <= n; i++ )
    {
        vlib_entity_init(&entities[i], &groups[i], false);
        if ( i < n )
        {
            vlib_account_init(&accounts[i], i + 1, PERIOD / 2 / n,
                              PERIOD + i * 1000, 0);
            cpumask_set_cpu(0, &accounts[i].admitted);
            vlib_attach(&entities[i], &accounts[i], 0);
        }
        vlib_enqueue(&queue, &entities[i], 0);
    }
    for ( i = 0; i < 2 * n; i++ )
        now = decide(now);
    count(nothing, now);
    for ( i = 0; i < DECISIONS; i++ )
        now = count(decide, now);
    _exit(0);
}

static int failed(const char *what)
{
    fprintf(stderr, "decision: cannot %s: %s; it needs ptrace, which a "
            "container may have to be given (CAP_SYS_PTRACE)\n", what,
            strerror(errno));
    exit(1);
}

/* Steps until the end of the count. */
static long steps(pid_t pid)
{
    long n = 0;
    int status;

    do {
        if ( ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) )
            failed("step");
        if ( waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) )
            failed("wait for the child");
        n++;
    } while ( !*counted );
    return n;
}

/* The mean of all counts, less the count of an empty decision. */
static double measure(unsigned int n)
{
    long first = -1, sum = 0;
    int status;
    pid_t pid = fork();

    if ( pid < 0 )
        failed("fork");
    if ( !pid )
        child(n);
    while ( waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) )
    {
        if ( WSTOPSIG(status) == SIGUSR1 )
        {
            long s = steps(pid);

            if ( first < 0 )
                first = s;
            else
                sum += s - first;
        }
        if ( ptrace(PTRACE_CONT, pid, NULL, NULL) )
            failed("continue");
    }
    if ( first < 0 || !WIFEXITED(status) || WEXITSTATUS(status) )
        failed("trace the child");
    return (double)sum / DECISIONS;
}

int main(void)
{
    static const unsigned int sizes[] = { 2, 16, 128, MOST };
    unsigned int i;
    double first = 0;

    counted = mmap(NULL, sizeof(*counted), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if ( counted == MAP_FAILED )
        failed("share memory");
    for ( i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++ )
    {
        double x = measure(sizes[i]);

        if ( !i )
            first = x;
        fprintf(stderr, "module.decision.%u %.0f instructions, x%.2f\n",
                sizes[i], x, x / first);
        printf("{\"reservations\":%u,\"instructions\":%.0f}\n", sizes[i], x);
        fflush(stdout);
    }
    return 0;
}
