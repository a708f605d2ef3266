/* SPDX-License-Identifier: GPL-2.0-only */
/* Reproducible random numbers: splitmix64. */
#ifndef VLIB_SEED_H
#define VLIB_SEED_H

#include <stdbool.h>
#include <stdint.h>

struct seed {
    uint64_t state;
};

static inline uint64_t seed_next(struct seed *s)
{
    uint64_t z = s->state += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/* lowest .. highest, both included. */
static inline int64_t seed_range(struct seed *s, int64_t lowest,
                                 int64_t highest)
{
    return lowest + (int64_t)(seed_next(s) % (uint64_t)(highest - lowest + 1));
}

static inline bool seed_chance(struct seed *s, unsigned int percent)
{
    return seed_next(s) % 100 < percent;
}

#endif /* VLIB_SEED_H */
