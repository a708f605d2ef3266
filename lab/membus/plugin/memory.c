/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU plugin that gives the emulated machine a memory with contention: each
 * vCPU has a private cache, all share a last-level cache, and that has one bus.
 * An access that misses both caches takes its turn on the bus, and its vCPU is
 * delayed until the turn ends. The guest or the lab sets the length of a turn;
 * at 0 nothing is modelled.
 *
 * With an emulated processor (lab/processor) the caches have its geometry. A
 * line is filled into the ways that the vCPU's cache class may fill, a class'
 * delay follows each turn, and lines and turns are counted by monitoring ID.
 *
 * It models data accesses to RAM, by physical address, one line each: no
 * instruction fetches, page walks, prefetching, write-backs or coherence. The
 * caches have tags alone, which determine what has to wait.
 *
 * vCPUs are threads and may access at the same time. Tags of the shared cache
 * are read and written without a lock: a lost race is a miss too many or too
 * few.
 *
 *     -plugin file=memory.so,counters=PATH[,processor=PATH]
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <qemu-plugin.h>

#include "layout.h"
#include "state.h"

#define LINE_BITS 6

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static struct model *model;

/* NULL: the processor has no cache classes. */
static struct processor_state *processor;

/* Line numbers plus 1; 0 is empty. 32 bits address 256 GiB. */
struct line {
    _Atomic uint32_t tag, rmid;
};

/* The lines that a set may replace are replaced in turn. */
struct cache {
    unsigned int ways, sets;
    struct line *lines; /* a set's ways, then those of the next */
    _Atomic uint32_t *next;
};

static struct cache private[MODEL_CPUS] = {
    [0 ... MODEL_CPUS - 1] = { .ways = 1, .sets = 4096 } /* 256 KiB */
};
static struct cache shared = { .ways = 8, .sets = 4096 }; /* 2 MiB */

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

static bool hit(const struct cache *c, uint32_t line)
{
    const struct line *set = &c->lines[line % c->sets * c->ways];

    for (unsigned int i = 0; i < c->ways; i++)
        if (atomic_load_explicit(&set[i].tag, memory_order_relaxed) == line)
            return true;
    return false;
}

/* Puts a line into one of the ways allowed. Returns what it replaces. */
static struct line fill(struct cache *c, uint32_t line, uint32_t allowed,
                        uint32_t rmid)
{
    uint32_t set = line % c->sets;
    uint32_t n = atomic_fetch_add_explicit(&c->next[set], 1,
                                           memory_order_relaxed) %
                 (uint32_t)__builtin_popcount(allowed);
    struct line *l;

    while (n--)
        allowed &= allowed - 1;
    l = &c->lines[set * c->ways + (uint32_t)__builtin_ctz(allowed)];
    return (struct line){ atomic_exchange(&l->tag, line),
                          atomic_exchange(&l->rmid, rmid) };
}

static uint32_t all_ways(const struct cache *c)
{
    return (1U << c->ways) - 1;
}

/*
 * Two vCPUs that fill one line at once may count a line for the other's ID: the
 * tag and the ID are two accesses. The sum over all IDs stays right.
 */
static void fill_shared(unsigned int vcpu, uint32_t line)
{
    struct processor_cpu *cpu;
    struct line was;
    uint32_t rmid;

    if (!processor) {
        fill(&shared, line, all_ways(&shared), 0);
        return;
    }
    cpu = &processor->cpu[vcpu];
    rmid = __atomic_load_n(&cpu->rmid, __ATOMIC_RELAXED);
    was = fill(&shared, line,
               __atomic_load_n(&processor->l3.fill[cpu->class],
                               __ATOMIC_RELAXED), rmid);
    if (was.tag)
        __atomic_fetch_sub(&processor->lines[was.rmid], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&processor->lines[rmid], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&processor->moved[rmid], 1, __ATOMIC_RELAXED);
}

static void fill_private(unsigned int vcpu, uint32_t line)
{
    struct cache *c = &private[vcpu];

    fill(c, line,
         processor ? __atomic_load_n(
                         &processor->l2.fill[processor->cpu[vcpu].class],
                         __ATOMIC_RELAXED)
                   : all_ways(c), 0);
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

/* ns for which a vCPU's class waits after a turn. */
static uint64_t delay(unsigned int vcpu, uint64_t service)
{
    if (!processor)
        return 0;
    return service *
           __atomic_load_n(&processor->delay[processor->cpu[vcpu].class],
                           __ATOMIC_RELAXED) / PROCESSOR_TURN;
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
    if (processor) {
        add(&processor->cpu[vcpu].requests, 1);
        add(&processor->cpu[vcpu].occupancy, end - asked);
    }
    atomic_store_explicit(&turn[vcpu].end, end, memory_order_relaxed);
    while ((at = now()) < end)
        __builtin_ia32_pause();
    atomic_store_explicit(&turn[vcpu].end, 0, memory_order_relaxed);
    add(&cpu->late, at - end);
    /* Memory bandwidth allocation: the class' next request comes later. */
    end = at + delay(vcpu, service);
    while (now() < end)
        __builtin_ia32_pause();
}

static void on_access(unsigned int vcpu, qemu_plugin_meminfo_t info,
                      uint64_t address, void *unused)
{
    uint64_t service = __atomic_load_n(&model->service, __ATOMIC_RELAXED);
    struct qemu_plugin_hwaddr *where;
    struct model_cpu *cpu;
    uint32_t line;

    if (!service || vcpu >= model->cpus)
        return;
    where = qemu_plugin_get_hwaddr(info, address);
    if (!where || qemu_plugin_hwaddr_is_io(where))
        return;
    line = (uint32_t)(qemu_plugin_hwaddr_phys_addr(where) >> LINE_BITS) + 1;
    cpu = &model->cpu[vcpu];
    add(&cpu->accesses, 1);
    if (hit(&private[vcpu], line))
        return;
    add(&cpu->misses, 1);
    fill_private(vcpu, line);
    if (hit(&shared, line))
        return;
    fill_shared(vcpu, line);
    use_bus(vcpu, service < MODEL_MAX_SERVICE ? service : MODEL_MAX_SERVICE);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i),
                                         on_access, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, NULL);
}

static void *map(const char *path, size_t bytes)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *p = MAP_FAILED;

    if (fd >= 0) {
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    if (p == MAP_FAILED) {
        perror(path);
        return NULL;
    }
    return p;
}

/* The value of an option NAME=VALUE, or NULL. */
static const char *value(const char *arg, const char *name)
{
    size_t n = strlen(name);

    return strncmp(arg, name, n) || arg[n] != '=' ? NULL : arg + n + 1;
}

static bool options(int argc, char **argv)
{
    const char *path;

    for (int i = 0; i < argc; i++) {
        if ((path = value(argv[i], "counters")))
            model = map(path, sizeof(*model));
        else if ((path = value(argv[i], "processor")))
            processor = map(path, sizeof(*processor));
        else
            return false;
        if (processor && processor->magic != PROCESSOR_MAGIC)
            return false;
    }
    return model && (argc == 1 || processor);
}

/* Makes the caches of the processor's geometry. */
static bool make(struct cache *c, const struct processor_cache *like)
{
    if (like) {
        c->ways = like->ways;
        c->sets = like->sets;
    }
    c->lines = calloc(c->ways * c->sets, sizeof(*c->lines));
    c->next = calloc(c->sets, sizeof(*c->next));
    return c->lines && c->next;
}

static bool make_caches(unsigned int cpus)
{
    for (unsigned int i = 0; i < cpus; i++)
        if (!make(&private[i], processor ? &processor->l2 : NULL))
            return false;
    return make(&shared, processor ? &processor->l3 : NULL);
}

static uint32_t cache_bytes(const struct cache *c)
{
    return (c->sets * c->ways) << LINE_BITS;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info, int argc,
                                           char **argv)
{
    if (!info->system_emulation || info->system.smp_vcpus > MODEL_CPUS) {
        fprintf(stderr, "memory plugin: for a machine of at most %d CPUs\n",
                MODEL_CPUS);
        return -1;
    }
    if (!options(argc, argv)) {
        fprintf(stderr, "memory plugin: expected counters=PATH, and perhaps "
                        "processor=PATH of a processor that runs\n");
        return -1;
    }
    if (!make_caches(info->system.smp_vcpus)) {
        fprintf(stderr, "memory plugin: no memory for the caches' tags\n");
        return -1;
    }
    model->version = MODEL_VERSION;
    model->cpus = info->system.smp_vcpus;
    model->line_bytes = 1 << LINE_BITS;
    model->private_bytes = cache_bytes(&private[0]);
    model->shared_bytes = cache_bytes(&shared);
    model->shared_ways = shared.ways;
    /* Written last: a reader that finds it finds the rest. */
    __atomic_store_n(&model->magic, MODEL_MAGIC, __ATOMIC_RELEASE);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
