/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way in from QEMU. The environment says which processor is emulated:
 * VLIBOS_PROCESSOR is its name, VLIBOS_PROCESSOR_STATE a file of at least
 * struct processor_state, full of zeros.
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/thread.h"

#include <sys/mman.h>

#include "processor.h"

const struct model *processor_model;
struct processor_state *processor_state;

static QemuMutex lock;

static void G_GNUC_NORETURN die(const char *what, const char *why)
{
    fprintf(stderr, "emulated processor: %s: %s\n", what, why);
    exit(1);
}

static struct processor_state *map_state(const char *path)
{
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p;

    if (fd < 0) {
        die("VLIBOS_PROCESSOR_STATE", path ? strerror(errno) : "not set");
    }
    p = mmap(NULL, sizeof(struct processor_state), PROT_READ | PROT_WRITE,
             MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED) {
        die(path, strerror(errno));
    }
    return p;
}

static void __attribute__((constructor)) begin(void)
{
    const char *name = getenv("VLIBOS_PROCESSOR");
    const struct model *m = processor_models;

    if (!name) {
        return;
    }
    while (m->name && strcmp(m->name, name)) {
        m++;
    }
    if (!m->name) {
        die(name, "no such processor");
    }
    qemu_mutex_init(&lock);
    processor_state = map_state(getenv("VLIBOS_PROCESSOR_STATE"));
    processor_state->l2 = (struct processor_cache){ .ways = m->l2_ways,
                                                    .sets = m->l2_sets };
    processor_state->l3 = (struct processor_cache){ .ways = m->l3_ways,
                                                    .sets = m->l3_sets };
    processor_model = m;
    allocation_reset();
    /* Written last: a reader that finds it finds the rest. */
    qatomic_store_release(&processor_state->magic, PROCESSOR_MAGIC);
}

enum access processor_read(int cpu, uint32_t msr, uint64_t *value)
{
    enum access a = ACCESS_OTHER;

    if (processor_model && cpu < PROCESSOR_CPUS) {
        qemu_mutex_lock(&lock);
        a = allocation_read(cpu, msr, value);
        a = a == ACCESS_OTHER ? monitoring_read(cpu, msr, value) : a;
        a = a == ACCESS_OTHER ? uncore_read(msr, value) : a;
        qemu_mutex_unlock(&lock);
    }
    return a;
}

enum access processor_write(int cpu, uint32_t msr, uint64_t value)
{
    enum access a = ACCESS_OTHER;

    if (processor_model && cpu < PROCESSOR_CPUS) {
        qemu_mutex_lock(&lock);
        a = allocation_write(cpu, msr, value);
        a = a == ACCESS_OTHER ? monitoring_write(cpu, msr, value) : a;
        a = a == ACCESS_OTHER ? uncore_write(msr, value) : a;
        qemu_mutex_unlock(&lock);
    }
    return a;
}
