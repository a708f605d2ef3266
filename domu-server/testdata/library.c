// SPDX-License-Identifier: Apache-2.0
// Library functions that behave well, and some that do not.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Returns how often it was called in this process.
int count(void) { static int n; return ++n; }

int thread(void) { return syscall(SYS_gettid); }
int process(void) { return getpid(); }

uint64_t sum(const uint8_t *b, uint64_t n)
{
    uint64_t s = 0;
    while (n--)
        s += *b++;
    return s;
}

void fill(uint8_t *b, uint64_t n) { memset(b, 'x', n); }

// Names of each length modulo 8.
#define ALIGNED(name) \
    uint64_t name(const void *in, void *io, void *out) \
    { return ((uintptr_t)in | (uintptr_t)io | (uintptr_t)out) % 8; }
ALIGNED(a) ALIGNED(ab) ALIGNED(abc) ALIGNED(abcd) ALIGNED(abcde) ALIGNED(abcdef) ALIGNED(abcdefg) ALIGNED(abcdefgh)

void crash(void) { *(volatile int *)8 = 1; }
void leave(int status) { exit(status); }
void stop_itself(void) { raise(SIGKILL); }

void complain(const char *text)
{
    fprintf(stderr, "first\nsecond\nthird\n%s\n", text);
    abort();
}

void damage_heap(void)
{
    char *p = malloc(24), *volatile q = p;
    free(p);
    free(q);
}

static void *later(void *unused)
{
    (void)unused;
    usleep(50 * 1000);
    abort();
}

int crash_later(void)
{
    pthread_t t;
    return pthread_create(&t, 0, later, 0);
}

void hang(void) { for (;;) pause(); }
void spin(void) { for (;;) __asm__ volatile("pause"); }

// Closes the sockets only. Without its poller the worker's runtime ends the
// process when it next uses the poller, in some runs at once.
void hang_up(void)
{
    struct stat s;

    for (int fd = 3; fd < 1024; fd++)
        if (fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode))
            close(fd);
    hang();
}

// Leaves a child that has all of this process's descriptors.
void leave_child(void)
{
    if (fork() == 0)
        hang();
    _exit(4);
}

int child_forever(void)
{
    int pid = fork();
    if (pid == 0)
        hang();
    return pid;
}

// As daemon(3), but the first process continues. Returns the daemon's number.
int leave_daemon(void)
{
    int ends[2], pid = -1, child;
    if (pipe(ends))
        return -1;
    if ((child = fork()) == 0) {
        setsid();
        pid = fork();
        if (pid == 0)
            hang();
        _exit(write(ends[1], &pid, sizeof pid) != sizeof pid);
    }
    waitpid(child, 0, 0);
    child = read(ends[0], &pid, sizeof pid);
    close(ends[0]);
    close(ends[1]);
    return child == sizeof pid ? pid : -1;
}

// Children that return from the function like their parent.
int fork_and_return(void) { return fork(); }
int vfork_and_return(void) { return syscall(SYS_vfork); }

static void *scribble(void *unused)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    volatile unsigned long *turn;

    (void)unused;
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "vlibos-channel")) {
            turn = (void *)(strtoul(line, 0, 16) + 0x200); // of the first slot
            while (*turn & 3) // not answered
                usleep(1000);
            *turn = -1UL;
        }
    fclose(maps);
    return 0;
}

// Overwrites memory that is shared with the server, after the answer.
int scribble_later(void)
{
    pthread_t t;
    int e = pthread_create(&t, 0, scribble, 0);

    pthread_setname_np(t, "scribble"); // fails if it has ended
    return e;
}
