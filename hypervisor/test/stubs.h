/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of Xen that platform.h needs, for a process with one thread. */
#ifndef VLIB_STUBS_H
#define VLIB_STUBS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t s_time_t;

#define ASSERT(x) assert(x)
#define always_inline __inline__ __attribute__((__always_inline__))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define arch_fetch_and_add(p, n) __sync_fetch_and_add(p, n)
#define read_atomic(p) (*(p))
#define container_of(p, type, member) \
    ((type *)((char *)(p) - offsetof(type, member)))

#ifndef FAKE_XEN /* it has its own locks */
/* With one thread, a lock that is found taken has been taken twice. */
typedef bool spinlock_t;

#define spin_lock_init(l) (*(l) = false)

static inline void spin_lock(spinlock_t *l)
{
    assert(!*l);
    *l = true;
}

static inline void spin_unlock(spinlock_t *l)
{
    assert(*l);
    *l = false;
}

#endif

#define NR_CPUS 128
#define WORD_CPUS 64

typedef struct {
    uint64_t word[NR_CPUS / WORD_CPUS];
} cpumask_t;

static inline void cpumask_set_cpu(unsigned int cpu, cpumask_t *m)
{
    assert(cpu < NR_CPUS);
    m->word[cpu / WORD_CPUS] |= 1ULL << cpu % WORD_CPUS;
}

static inline void cpumask_clear_cpu(unsigned int cpu, cpumask_t *m)
{
    assert(cpu < NR_CPUS);
    m->word[cpu / WORD_CPUS] &= ~(1ULL << cpu % WORD_CPUS);
}

static inline bool cpumask_test_cpu(unsigned int cpu, const cpumask_t *m)
{
    assert(cpu < NR_CPUS);
    return m->word[cpu / WORD_CPUS] >> cpu % WORD_CPUS & 1;
}

static inline void cpumask_clear(cpumask_t *m)
{
    memset(m, 0, sizeof(*m));
}

static inline unsigned int next_cpu(unsigned int cpu, const cpumask_t *m)
{
    for ( ; cpu < NR_CPUS; cpu = (cpu / WORD_CPUS + 1) * WORD_CPUS )
    {
        uint64_t rest = m->word[cpu / WORD_CPUS] >> cpu % WORD_CPUS;

        if ( rest )
            return cpu + __builtin_ctzll(rest);
    }
    return NR_CPUS;
}

#define for_each_cpu(cpu, m) \
    for ( (cpu) = next_cpu(0, m); (cpu) < NR_CPUS; \
          (cpu) = next_cpu((cpu) + 1, m) )

struct list_head {
    struct list_head *next, *prev;
};

#define LIST_HEAD(name) struct list_head name = { &(name), &(name) }
#define list_entry(p, type, member) container_of(p, type, member)

#define list_for_each_entry(e, head, member) \
    for ( (e) = list_entry((head)->next, typeof(*(e)), member); \
          &(e)->member != (head); \
          (e) = list_entry((e)->member.next, typeof(*(e)), member) )
#define list_for_each_entry_safe(e, n, head, member) \
    for ( (e) = list_entry((head)->next, typeof(*(e)), member), \
          (n) = list_entry((e)->member.next, typeof(*(e)), member); \
          &(e)->member != (head); \
          (e) = (n), (n) = list_entry((n)->member.next, typeof(*(n)), member) )

static inline void INIT_LIST_HEAD(struct list_head *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list_head *l)
{
    return l->next == l;
}

static inline void list_add_tail(struct list_head *n, struct list_head *l)
{
    n->next = l;
    n->prev = l->prev;
    n->prev->next = l->prev = n;
}

static inline void list_del_init(struct list_head *n)
{
    n->next->prev = n->prev;
    n->prev->next = n->next;
    INIT_LIST_HEAD(n);
}

static inline void list_splice_init(struct list_head *from,
                                    struct list_head *to)
{
    if ( list_empty(from) )
        return;
    from->prev->next = to->next;
    to->next->prev = from->prev;
    to->next = from->next;
    to->next->prev = to;
    INIT_LIST_HEAD(from);
}

#endif /* VLIB_STUBS_H */
