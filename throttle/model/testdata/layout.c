// SPDX-License-Identifier: Apache-2.0
/* Prints the layout as the emulator's plugin is compiled with it. */
#include <stdio.h>

#include "layout.h"

#define OFFSET(field) printf(#field " %zu\n", __builtin_offsetof(struct model, field))
#define CPU_OFFSET(field) printf("cpu." #field " %zu\n", __builtin_offsetof(struct model_cpu, field))

int main(void)
{
    printf("magic_value %llu\n", MODEL_MAGIC);
    printf("version_value %d\n", MODEL_VERSION);
    printf("cpus_most %d\n", MODEL_CPUS);
    printf("service_most %llu\n", MODEL_MAX_SERVICE);
    printf("size %zu\n", sizeof(struct model));
    printf("cpu_size %zu\n", sizeof(struct model_cpu));
    OFFSET(magic);
    OFFSET(version);
    OFFSET(cpus);
    OFFSET(line_bytes);
    OFFSET(private_bytes);
    OFFSET(shared_bytes);
    OFFSET(shared_ways);
    OFFSET(service);
    OFFSET(cpu);
    CPU_OFFSET(accesses);
    CPU_OFFSET(misses);
    CPU_OFFSET(requests);
    CPU_OFFSET(occupancy);
    CPU_OFFSET(late);
    return 0;
}
