/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU plugin that counts instructions by address, for a profile. A program in
 * the machine delimits what is counted by marks: NOPs of a form that compilers
 * do not emit, whose displacement has the number of a phase. Phase 0 is not
 * counted. The last mark writes the counts, a line for each block of code; the
 * line of address 0 says how many times the phase began:
 *
 *     phase vcpu address instructions
 *
 * Callbacks must not run at the same time: the machine is emulated by one
 * thread, as counted mode is. A block that an exception leaves early counts in
 * full.
 *
 *     -plugin file=profile.so,counts=PATH
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qemu-plugin.h>

#define PHASES 16
#define LAST 255
#define CPUS 2

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* NOPL displacement(RAX*1): the first byte of the displacement is the phase. */
static const uint8_t mark[] = {0x0f, 0x1f, 0x84, 0x00};
static const uint8_t signature[] = {'v', 'L', 'b'};

/* A translated block. An address that is translated again has another one. */
struct block {
    struct block *next;
    uint64_t address;
    size_t instructions;
    uint64_t runs[PHASES][CPUS];
};

static struct block *blocks;
static unsigned int phase;
static unsigned int begun[PHASES];
static FILE *out;

static void write_counts(void)
{
    for (unsigned int p = 1; p < PHASES; p++)
        fprintf(out, "%u 0 0 %u\n", p, begun[p]);
    for (struct block *b = blocks; b; b = b->next)
        for (unsigned int p = 1; p < PHASES; p++)
            for (unsigned int cpu = 0; cpu < CPUS; cpu++)
                if (b->runs[p][cpu])
                    fprintf(out, "%u %u %" PRIx64 " %" PRIu64 "\n", p, cpu,
                            b->address, b->runs[p][cpu] * b->instructions);
    fflush(out);
}

static void on_block(unsigned int vcpu, void *data)
{
    struct block *b = data;

    if (phase)
        b->runs[phase][vcpu]++;
}

static void on_mark(unsigned int vcpu, void *data)
{
    unsigned int next = (uintptr_t)data;

    phase = next < PHASES ? next : 0;
    begun[phase]++;
    if (next == LAST)
        write_counts();
}

/* Since version 3 of its interface, QEMU copies an instruction itself. */
static void copy(uint8_t *to, const struct qemu_plugin_insn *insn, size_t size)
{
#if QEMU_PLUGIN_VERSION >= 3
    qemu_plugin_insn_data(insn, to, size);
#else
    memcpy(to, qemu_plugin_insn_data(insn), size);
#endif
}

static void find_mark(struct qemu_plugin_insn *insn)
{
    uint8_t bytes[sizeof(mark) + 1 + sizeof(signature)];

    if (qemu_plugin_insn_size(insn) != sizeof(bytes))
        return;
    copy(bytes, insn, sizeof(bytes));
    if (memcmp(bytes, mark, sizeof(mark)) ||
        memcmp(bytes + sizeof(mark) + 1, signature, sizeof(signature)))
        return;
    qemu_plugin_register_vcpu_insn_exec_cb(
        insn, on_mark, QEMU_PLUGIN_CB_NO_REGS,
        (void *)(uintptr_t)bytes[sizeof(mark)]);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    struct block *b = calloc(1, sizeof(*b));

    if (!b)
        abort();
    b->address = qemu_plugin_tb_vaddr(tb);
    b->instructions = qemu_plugin_tb_n_insns(tb);
    b->next = blocks;
    blocks = b;
    for (size_t i = 0; i < b->instructions; i++)
        find_mark(qemu_plugin_tb_get_insn(tb, i));
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS,
                                         b);
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info, int argc,
                                           char **argv)
{
    static const char option[] = "counts=";

    if (argc != 1 || strncmp(argv[0], option, strlen(option)) ||
        !info->system_emulation || info->system.smp_vcpus > CPUS) {
        fprintf(stderr, "profile plugin: expected counts=PATH and a machine of "
                        "at most %d CPUs\n", CPUS);
        return -1;
    }
    out = fopen(argv[0] + strlen(option), "w");
    if (!out) {
        perror(argv[0]);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    return 0;
}
