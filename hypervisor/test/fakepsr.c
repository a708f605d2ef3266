/* SPDX-License-Identifier: GPL-2.0-only */
#include "check.h"
#include "fakepsr.h"
#include "machine.h"

struct fake_assoc fake_assoc[MAX_CPUS];
struct fake_monitor fake_monitor;
struct psr_cmt fake_cmt = {
    .l3 = { .features = 3, .upscaling_factor = FAKE_UNIT },
};
struct psr_cmt *psr_cmt;
bool cpu_has_pqe;
static uint64_t selected;

/* As Xen's, with the hook. */
void psr_ctxt_switch_to(struct domain *d)
{
    struct fake_assoc *a = &fake_assoc[smp_processor_id()];

    a->rmid = d->arch.psr_rmid;
    d = vlib_class_domain(d);
    a->class = d->arch.psr_cos_ids ? d->arch.psr_cos_ids[0] : 0;
}

void cpuid_count(unsigned int leaf, unsigned int subleaf, unsigned int *eax,
                 unsigned int *ebx, unsigned int *ecx, unsigned int *edx)
{
    CHECK((leaf == 4 && subleaf == 3) || (leaf == 0xf && subleaf == 1),
          "CPUID %#x, %u", leaf, subleaf);
    *eax = leaf == 4 ? (2 - 1) << 14 : FAKE_WIDTH - 24;
    *ebx = *ecx = *edx = 0;
}

int wrmsr_safe(unsigned int msr, uint64_t value)
{
    CHECK(msr == MSR_IA32_CMT_EVTSEL, "MSR %#x is written", msr);
    fake_monitor.accesses++;
    selected = value;
    return 0;
}

int rdmsr_safe(unsigned int msr, uint64_t *value)
{
    unsigned int id = selected >> 32;

    CHECK(msr == MSR_IA32_CMT_CTR && id < FAKE_RMIDS, "MSR %#x, ID %u", msr,
          id);
    fake_monitor.accesses++;
    if ( fake_monitor.unavailable )
        *value = 1ULL << 62;
    else
        *value = (uint8_t)selected == 1
                 ? fake_monitor.occupied[id]
                 : fake_monitor.moved[id] & ((1ULL << FAKE_WIDTH) - 1);
    return 0;
}
