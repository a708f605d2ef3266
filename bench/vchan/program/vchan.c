// SPDX-License-Identifier: Apache-2.0
/*
 * Xen's own way to exchange bytes with a domain, for comparison: a message and
 * its echo through libxenvchan, both sides blocking.
 *
 *   vchan serve PATH            in the guest, for domain 0, without end
 *   vchan call DOMID PATH N     in Dom0: prints the time-stamp counter's
 *                               advance for each of N round trips
 *
 * PATH is the xenstore path at which the two meet.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <x86intrin.h>

#include <libxenvchan.h>

#define MESSAGE 64
#define RING 4096

/* Marks for a profile: the NOPs of bench/xen/instructions_amd64.s. */
#define MARK(phase) \
    __asm__ volatile (".byte 0x0f, 0x1f, 0x84, 0x00, " #phase ", 'v', 'L', 'b'")

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int serve(const char *path)
{
    unsigned char message[MESSAGE];

    for (;;) {
        struct libxenvchan *c = libxenvchan_server_init(NULL, 0, path, RING, RING);

        if (!c)
            fail("vchan: serve");
        c->blocking = 1;
        while (libxenvchan_recv(c, message, MESSAGE) == MESSAGE &&
               libxenvchan_send(c, message, MESSAGE) == MESSAGE)
            ;
        libxenvchan_close(c);
    }
}

/* The server may not have started yet, or not have made a new ring. */
static struct libxenvchan *reach(int domid, const char *path)
{
    for (int i = 0; i < 100; i++) {
        struct libxenvchan *c = libxenvchan_client_init(NULL, domid, path);

        if (c)
            return c;
        usleep(100 * 1000);
    }
    fail("vchan: call");
    return NULL;
}

static int call(int domid, const char *path, int n)
{
    struct libxenvchan *c = reach(domid, path);
    unsigned char out[MESSAGE], in[MESSAGE];
    uint64_t *took = calloc(n, sizeof(*took));

    if (!took)
        fail("vchan: memory");
    c->blocking = 1;
    for (int i = 0; i < n; i++) {
        uint64_t begin;

        memset(out, i, MESSAGE);
        MARK(1);
        begin = __rdtsc();
        if (libxenvchan_send(c, out, MESSAGE) != MESSAGE ||
            libxenvchan_recv(c, in, MESSAGE) != MESSAGE)
            fail("vchan: round trip");
        took[i] = __rdtsc() - begin;
        MARK(0);
        if (memcmp(in, out, MESSAGE)) {
            fprintf(stderr, "vchan: the echo differs from what was sent\n");
            return 1;
        }
    }
    for (int i = 0; i < n; i++)
        printf("%llu\n", (unsigned long long)took[i]);
    libxenvchan_close(c);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "serve"))
        return serve(argv[2]);
    if (argc == 5 && !strcmp(argv[1], "call"))
        return call(atoi(argv[2]), argv[3], atoi(argv[4]));
    fprintf(stderr, "usage: vchan serve PATH | vchan call DOMID PATH N\n");
    return 2;
}
