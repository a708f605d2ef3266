/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU plugin that gives the emulated machine a memory with contention: each
 * vCPU has a private cache, all share a last-level cache, and that has one bus.
 * An access that misses both caches takes its turn on the bus, and its vCPU is
 * delayed until the turn ends. The guest or the lab sets the length of a turn;
 * at 0 nothing is modelled.
 *
 * It models data accesses to RAM, by physical address, one line each: no
 * instruction fetches, page walks, prefetching, write-backs or coherence. The
 * caches have tags alone, which determine what has to wait.
 *
 * vCPUs are threads and may access at the same time. Tags of the shared cache
 * are read and written without a lock: a lost race is a miss too many or too
 * few.
 *
 *     -plugin file=memory.so,counters=PATH
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <qemu-plugin.h>

#include "layout.h"

#define LINE_BITS 6
#define PRIVATE_LINES 4096 /* 256 KiB */
#define SHARED_WAYS 8
#define SHARED_SETS 4096 /* 2 MiB */

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct model *model;

/* Line numbers plus 1; 0 is empty. 32 bits address 256 GiB. */
static uint32_t private_tags[MODEL_CPUS][PRIVATE_LINES];

/* The lines of a set are replaced in turn: first in, first out. */
static struct {
    _Atomic uint32_t tags[SHARED_WAYS];
    _Atomic uint32_t next;
} shared[SHARED_SETS];

/* When the last assigned turn ends, in ns of the host's clock. */
static _Alignas(64) _Atomic uint64_t bus_free;

/* The end of a vCPU's turn while it waits for that, else 0. */
static struct {
    _Alignas(64) _Atomic uint64_t end;
} turn[MODEL_CPUS];

/* A thread that is later than this after its turn is off the host's CPUs. */
#define LATE 2000 /* ns */

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static bool private_hit(unsigned int cpu, uint32_t line)
{
    uint32_t *tag = &private_tags[cpu][line % PRIVATE_LINES];

    if (*tag == line)
        return true;
    *tag = line;
    return false;
}

static bool shared_hit(uint32_t line)
{
    unsigned int set = line % SHARED_SETS;

    for (unsigned int i = 0; i < SHARED_WAYS; i++)
        if (atomic_load_explicit(&shared[set].tags[i], memory_order_relaxed) ==
            line)
            return true;
    atomic_store_explicit(
        &shared[set].tags[atomic_fetch_add_explicit(&shared[set].next, 1,
                                                    memory_order_relaxed) %
                          SHARED_WAYS],
        line, memory_order_relaxed);
    return false;
}

/* Only this vCPU's thread adds to it; a reader may read at any time. */
static void add(uint64_t *counter, uint64_t n)
{
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/*
 * The number of other vCPUs whose threads the host has preempted during a turn.
 * Each counts as if it requested a further turn: on a busy host the threads
 * seldom run at the same time, and would not meet on the bus.
 */
static unsigned int preempted(unsigned int vcpu, uint64_t at)
{
    unsigned int n = 0;

    for (unsigned int i = 0; i < model->cpus; i++) {
        uint64_t end = atomic_load_explicit(&turn[i].end, memory_order_relaxed);

        n += i != vcpu && end && end + LATE < at;
    }
    return n;
}

/* Queues for the bus, and waits until the end of the turn. */
static void use_bus(unsigned int vcpu, uint64_t service)
{
    struct model_cpu *cpu = &model->cpu[vcpu];
    uint64_t asked, end, at, free = atomic_load(&bus_free);

    do {
        /* Read again each time: this vCPU did not wait for turns that have
         * begun and ended since an earlier reading. */
        asked = now();
        end = (free > asked ? free : asked) +
              service * (1 + preempted(vcpu, asked));
    } while (!atomic_compare_exchange_strong(&bus_free, &free, end));
    add(&cpu->requests, 1);
    add(&cpu->occupancy, end - asked);
    atomic_store_explicit(&turn[vcpu].end, end, memory_order_relaxed);
    while ((at = now()) < end)
        __builtin_ia32_pause();
    atomic_store_explicit(&turn[vcpu].end, 0, memory_order_relaxed);
    add(&cpu->late, at - end);
}

static void on_access(unsigned int vcpu, qemu_plugin_meminfo_t info,
                      uint64_t address, void *unused)
{
    uint64_t service = __atomic_load_n(&model->service, __ATOMIC_RELAXED);
    struct qemu_plugin_hwaddr *where;
    struct model_cpu *cpu;
    uint32_t line;

    if (!service || vcpu >= MODEL_CPUS)
        return;
    where = qemu_plugin_get_hwaddr(info, address);
    if (!where || qemu_plugin_hwaddr_is_io(where))
        return;
    line = (uint32_t)(qemu_plugin_hwaddr_phys_addr(where) >> LINE_BITS) + 1;
    cpu = &model->cpu[vcpu];
    add(&cpu->accesses, 1);
    if (private_hit(vcpu, line))
        return;
    add(&cpu->misses, 1);
    if (shared_hit(line))
        return;
    use_bus(vcpu, service < MODEL_MAX_SERVICE ? service : MODEL_MAX_SERVICE);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i),
                                         on_access, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, NULL);
}

static struct model *map(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *p = MAP_FAILED;

    if (fd >= 0) {
        p = mmap(NULL, sizeof(struct model), PROT_READ | PROT_WRITE,
                 MAP_SHARED, fd, 0);
        close(fd);
    }
    if (p == MAP_FAILED) {
        perror(path);
        return NULL;
    }
    return p;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info, int argc,
                                           char **argv)
{
    static const char option[] = "counters=";

    if (argc != 1 || strncmp(argv[0], option, strlen(option))) {
        fprintf(stderr, "memory plugin: expected counters=PATH\n");
        return -1;
    }
    if (!info->system_emulation || info->system.smp_vcpus > MODEL_CPUS) {
        fprintf(stderr, "memory plugin: for a machine of at most %d CPUs\n",
                MODEL_CPUS);
        return -1;
    }
    model = map(argv[0] + strlen(option));
    if (!model)
        return -1;
    model->version = MODEL_VERSION;
    model->cpus = info->system.smp_vcpus;
    model->line_bytes = 1 << LINE_BITS;
    model->private_bytes = PRIVATE_LINES << LINE_BITS;
    model->shared_bytes = (SHARED_SETS * SHARED_WAYS) << LINE_BITS;
    model->shared_ways = SHARED_WAYS;
    /* Written last: a reader that finds it finds the rest. */
    __atomic_store_n(&model->magic, MODEL_MAGIC, __ATOMIC_RELEASE);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
