/* SPDX-License-Identifier: GPL-2.0-only */
/* A failed check ends the program, and says how to repeat it. */
#ifndef VLIB_CHECK_H
#define VLIB_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * The seed of the running case, and a function that prints it; or 0 and NULL.
 */
extern uint64_t check_seed;
extern void (*check_show)(void);

#define CHECK(condition, ...)                                           \
    do {                                                                \
        if ( !(condition) )                                             \
        {                                                               \
            fprintf(stderr, "%s:%d: not so: %s: ", __FILE__, __LINE__,  \
                    #condition);                                        \
            fprintf(stderr, __VA_ARGS__);                               \
            check_failed();                                             \
        }                                                               \
    } while ( 0 )

_Noreturn void check_failed(void);

/* The N of --seed N, or 0. */
uint64_t check_argument(int argc, char **argv);

#endif /* VLIB_CHECK_H */
