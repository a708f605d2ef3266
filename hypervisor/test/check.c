/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "check.h"

uint64_t check_seed;
void (*check_show)(void);

_Noreturn void check_failed(void)
{
    fprintf(stderr, "\n");
    if ( check_show )
        check_show();
    if ( check_seed )
        fprintf(stderr, "to repeat it, run the program with --seed %llu\n",
                (unsigned long long)check_seed);
    exit(1);
}

uint64_t check_argument(int argc, char **argv)
{
    if ( argc == 1 )
        return 0;
    if ( argc == 3 && !strcmp(argv[1], "--seed") )
        return strtoull(argv[2], NULL, 0);
    fprintf(stderr, "usage: %s [--seed N]\n", argv[0]);
    exit(2);
}
