// SPDX-License-Identifier: Apache-2.0
/*
 * Calls the plugin's callback as the emulator does, from threads. Addresses are
 * physical addresses; those from 1 TiB on are devices.
 *
 *     drive counters=FILE SERVICE THREADS ROUNDS BYTES START CPUS
 *
 * Each thread walks BYTES of its own from START, ROUNDS times, line by line.
 * If CPUS is 1, all run on the first CPU of this machine. It prints, for each
 * thread, accesses, misses, requests and occupancy, and in the last line the
 * time that all took, in ns.
 */
#define _GNU_SOURCE /* CPU sets */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "memory.c"

static mem_cb callback;
static __thread uint64_t place;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb)
{
    return 1;
}

struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
                                                 size_t i)
{
    return NULL;
}

void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, mem_cb cb,
                                      enum qemu_plugin_cb_flags flags,
                                      enum qemu_plugin_mem_rw rw, void *data)
{
    callback = cb;
}

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, trans_cb cb)
{
    cb(id, NULL);
}

struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qemu_plugin_meminfo_t info,
                                                  uint64_t vaddr)
{
    place = vaddr;
    return (struct qemu_plugin_hwaddr *)&place;
}

bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *where)
{
    return place >= 1ULL << 40;
}

uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *where)
{
    return place;
}

static uint64_t rounds, bytes, start;
static pthread_barrier_t together;

static void *vcpu(void *arg)
{
    unsigned int cpu = (uintptr_t)arg;
    uint64_t from = start + cpu * bytes;

    pthread_barrier_wait(&together);
    for (uint64_t r = 0; r < rounds; r++)
        for (uint64_t at = from; at < from + bytes; at += 64)
            callback(cpu, 0, at, NULL);
    return NULL;
}

int main(int argc, char **argv)
{
    qemu_info_t info = { .system_emulation = true, .system.smp_vcpus = 3 };
    pthread_t thread[MODEL_CPUS];
    unsigned int threads;
    uint64_t begin;

    if (argc != 8 || qemu_plugin_install(1, &info, 1, argv + 1))
        return 1;
    model->service = strtoull(argv[2], NULL, 10);
    threads = atoi(argv[3]);
    rounds = strtoull(argv[4], NULL, 10);
    bytes = strtoull(argv[5], NULL, 0);
    start = strtoull(argv[6], NULL, 0);
    if (atoi(argv[7]) == 1) {
        cpu_set_t mine, first;

        if (sched_getaffinity(0, sizeof(mine), &mine))
            return 1;
        CPU_ZERO(&first);
        for (int i = 0; !CPU_COUNT(&first); i++)
            if (CPU_ISSET(i, &mine))
                CPU_SET(i, &first);
        if (sched_setaffinity(0, sizeof(first), &first))
            return 1;
    }
    pthread_barrier_init(&together, NULL, threads);
    begin = now();
    for (uintptr_t i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, vcpu, (void *)i))
            return 1;
    for (unsigned int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    begin = now() - begin;
    for (unsigned int i = 0; i < threads; i++)
        printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
               model->cpu[i].accesses, model->cpu[i].misses,
               model->cpu[i].requests, model->cpu[i].occupancy);
    printf("%" PRIu64 "\n", begin);
    return 0;
}
