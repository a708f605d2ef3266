// SPDX-License-Identifier: Apache-2.0
/*
 * Reads commands, one a line, with numbers in hexadecimal, and prints an answer
 * to each. It stands for QEMU and for the memory plugin.
 *
 *     read CPU REGISTER               its value, or "fault", or "none"
 *     write CPU REGISTER VALUE        "done", "fault" or "none"
 *     cpuid LEAF SUBLEAF A B C D      the four registers; QEMU's own are given
 *     bus CPU REQUESTS OCCUPANCY      adds to what a CPU has used of the bus
 *     cache RMID LINES MOVED          sets what an ID occupies and has moved
 *     obey CPU                        class, ID, masks of L2 and L3, delay
 */
#include "qemu/osdep.h"

#include "processor.h"

static const char *const names[] = { "none", "done", "fault" };

static bool command(const char *line)
{
    struct processor_state *s = processor_state;
    uint64_t value = 0;
    unsigned long a, b, c, d;
    unsigned int r[4], leaf, sub;
    enum access got;

    if (sscanf(line, "read %lx %lx", &a, &b) == 2) {
        got = processor_read(a, b, &value);
        if (got == ACCESS_DONE) {
            printf("%lx\n", (unsigned long)value);
        } else {
            puts(names[got]);
        }
    } else if (sscanf(line, "write %lx %lx %lx", &a, &b, &c) == 3) {
        puts(names[processor_write(a, b, c)]);
    } else if (sscanf(line, "cpuid %x %x %x %x %x %x", &leaf, &sub, &r[0],
                      &r[1], &r[2], &r[3]) == 6) {
        processor_cpuid(leaf, sub, &r[0], &r[1], &r[2], &r[3]);
        printf("%x %x %x %x\n", r[0], r[1], r[2], r[3]);
    } else if (sscanf(line, "bus %lx %lx %lx", &a, &b, &c) == 3) {
        s->cpu[a].requests += b;
        s->cpu[a].occupancy += c;
        puts("done");
    } else if (sscanf(line, "cache %lx %lx %lx", &a, &b, &c) == 3) {
        s->lines[a] = b;
        s->moved[a] = c;
        puts("done");
    } else if (sscanf(line, "obey %lx", &a) == 1) {
        d = s->cpu[a].class;
        printf("%lx %x %x %x %x\n", d, s->cpu[a].rmid, s->l2.fill[d],
               s->l3.fill[d], s->delay[d]);
    } else {
        return false;
    }
    return !fflush(stdout);
}

int main(void)
{
    char line[128];

    while (fgets(line, sizeof(line), stdin)) {
        if (!command(line)) {
            return 1;
        }
    }
    return 0;
}
