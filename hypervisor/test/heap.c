/* SPDX-License-Identifier: GPL-2.0-only */
/* The leftist heap compared with a list that is searched from end to end. */
#include "check.h"
#include "heap.h"
#include "seed.h"

#define NODES 200
#define ROUNDS 4000

static struct vlib_heap heap;
static struct vlib_node nodes[NODES];

static bool precedes(const struct vlib_node *a, const struct vlib_node *b)
{
    return a->key < b->key || (a->key == b->key && a->second < b->second);
}

static struct vlib_node *least(void)
{
    struct vlib_node *first = NULL;
    unsigned int i;

    for ( i = 0; i < NODES; i++ )
        if ( nodes[i].queued && (!first || precedes(&nodes[i], first)) )
            first = &nodes[i];
    return first;
}

static unsigned int rank_of(const struct vlib_node *n)
{
    return n ? n->rank : 0;
}

/* The number of nodes below n, which must satisfy the heap's invariants. */
static unsigned int valid(const struct vlib_node *n,
                          const struct vlib_node *parent)
{
    if ( !n )
        return 0;
    CHECK(n->queued && n->parent == parent, "a node has the wrong parent");
    CHECK(!parent || precedes(parent, n), "a node is before its parent");
    CHECK(rank_of(n->left) >= rank_of(n->right), "the heap leans to the right");
    CHECK(n->rank == rank_of(n->right) + 1, "a node has rank %u", n->rank);
    return 1 + valid(n->left, n) + valid(n->right, n);
}

static void check_heap(unsigned int queued)
{
    unsigned int depth = rank_of(heap.first);

    CHECK(valid(heap.first, NULL) == queued, "%u nodes expected", queued);
    CHECK(heap.first == least(), "the first node is not the least");
    CHECK((1ULL << depth) - 1 <= queued, "a right path of %u nodes", depth);
}

/* Few keys, so that many are equal; the second key is the time of insertion. */
static void random_operations(struct seed *s, int64_t keys)
{
    unsigned int queued = 0, i;
    uint64_t second = 0;

    for ( i = 0; i < ROUNDS; i++ )
    {
        struct vlib_node *n = &nodes[seed_range(s, 0, NODES - 1)];

        if ( n->queued )
        {
            vlib_heap_remove(&heap, n);
            queued--;
        }
        else
        {
            vlib_heap_insert(&heap, n, seed_range(s, 0, keys), ++second);
            queued++;
        }
        check_heap(queued);
    }
    while ( heap.first )
    {
        vlib_heap_remove(&heap, least());
        check_heap(--queued);
    }
}

/* Rising and falling keys make the most unbalanced trees. */
static void ordered(int64_t step)
{
    unsigned int i;

    for ( i = 0; i < NODES; i++ )
    {
        vlib_heap_insert(&heap, &nodes[i], i * step, i);
        check_heap(i + 1);
    }
    for ( i = NODES; heap.first; )
    {
        vlib_heap_remove(&heap, heap.first);
        check_heap(--i);
    }
}

int main(void)
{
    struct seed s = { 1 };

    ordered(1);
    ordered(-1);
    ordered(0);
    random_operations(&s, 5);
    random_operations(&s, 1000000);
    printf("heap: passed\n");
    return 0;
}
