// SPDX-License-Identifier: Apache-2.0

// Functions for the tests of package ffi. Each argument has its own weight, so
// that an argument in the wrong place changes the result.

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

double mixed16(int8_t a, float b, int64_t c, double d, uint8_t e, float f, int32_t g, double h,
               uint16_t i, float j, uint64_t k, double l, int16_t m, float n, uint32_t o, double p)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h +
           9 * i + 10 * j + 11 * (double)k + 12 * l + 13 * m + 14 * n + 15.0 * o + 16 * p;
}

int64_t ints16(int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, int64_t f, int64_t g, int64_t h,
               int64_t i, int64_t j, int64_t k, int64_t l, int64_t m, int64_t n, int64_t o, int64_t p)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h +
           9 * i + 10 * j + 11 * k + 12 * l + 13 * m + 14 * n + 15 * o + 16 * p;
}

float floats16(float a, double b, float c, double d, float e, double f, float g, double h,
               float i, double j, float k, double l, float m, double n, float o, double p)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h +
           9 * i + 10 * j + 11 * k + 12 * l + 13 * m + 14 * n + 15 * o + 16 * p;
}

// More arguments of both classes than registers: i and p are on the stack.
double both_overflow(double a, double b, double c, double d, double e, double f, double g, double h,
                     float i, int8_t j, int16_t k, int32_t l, int64_t m, uint8_t n, uint16_t o, int8_t p)
{
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h +
           9 * i + 10 * j + 11 * k + 12 * l + 13 * m + 14 * n + 15 * o + 16 * p;
}

// The ABI leaves the upper bits of a narrow result undefined: here they are
// set. One function, declared with several types.
__asm__(".globl dirty\n"
        ".type dirty, @function\n"
        "dirty: movabs $0xdeadbeefcafef080, %rax\n"
        "movq %rax, %xmm0\n"
        "ret\n");

bool is_true(bool b) { return b; }

int is_null(const void *p) { return p == NULL; }

// Nonzero if the stack is not aligned as the ABI requires at a call.
int misaligned(void) { return (uintptr_t)__builtin_frame_address(0) & 15; }

int fail(int code)
{
    errno = code;
    return -1;
}

int read_errno(void) { return errno; }

void fill(uint8_t *p, size_t n, uint8_t byte) { memset(p, byte, n); }

uint64_t sum(const uint8_t *p, size_t n)
{
    uint64_t s = 0;
    while (n--)
        s += *p++;
    return s;
}

const char *maybe(int yes) { return yes ? "yes" : NULL; }

const char *letters(size_t n)
{
    static char text[1 << 16];
    memset(text, 'x', n);
    text[n] = 0;
    return text;
}

// A string that ends with the last byte before unreadable memory.
const char *at_the_edge(void)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + 4096, 4096, PROT_NONE))
        return NULL;
    return memcpy(p + 4096 - 5, "edge", 5);
}

static int table[] = {1, 2, 3};

int first_of(const int *p) { return p[0]; }

int (*apply)(const int *) = first_of;

int call_with_table(int (*f)(const int *)) { return f(table); }

// Ways to die. gcc must not see that they are errors.
void *volatile nowhere;
volatile int zero;

int crash(void) { return *(volatile int *)nowhere; }
int divide(void) { return 7 / zero; } // gcc makes a comparison of 1 / x
void illegal(void) { __builtin_trap(); }
void aborted(void) { abort(); }
void leave(int status) { exit(status); }
void loop(void) { for (;;) zero = zero; }

int recurse(int n)
{
    volatile char page[4096];
    page[0] = n;
    return recurse(n + 1) + page[0];
}

static void *crash_there(void *unused)
{
    crash();
    return unused;
}

// A crash on a thread that the Go runtime does not know.
void crash_in_thread(void)
{
    pthread_t t;
    pthread_create(&t, NULL, crash_there, NULL);
    pthread_join(t, NULL);
}
