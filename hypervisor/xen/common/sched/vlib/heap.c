/* SPDX-License-Identifier: GPL-2.0-only */
#include "heap.h"

static bool before(const struct vlib_node *a, const struct vlib_node *b)
{
    return a->key != b->key ? a->key < b->key : a->second < b->second;
}

static unsigned int rank(const struct vlib_node *n)
{
    return n ? n->rank : 0;
}

/* Makes the right path the shorter one. Returns whether n's rank changed. */
static bool settle(struct vlib_node *n)
{
    unsigned int old = n->rank;

    if ( rank(n->left) < rank(n->right) )
    {
        struct vlib_node *left = n->left;

        n->left = n->right;
        n->right = left;
    }
    n->rank = rank(n->right) + 1;
    return n->rank != old;
}

/* Merges along both right paths, down and up again, without recursion. */
static struct vlib_node *merge(struct vlib_node *a, struct vlib_node *b)
{
    struct vlib_node *top = NULL, *last = NULL;

    while ( a && b )
    {
        struct vlib_node *n = before(b, a) ? b : a;

        if ( n == a )
            a = n->right;
        else
            b = n->right;
        n->parent = last;
        if ( last )
            last->right = n;
        else
            top = n;
        last = n;
    }
    if ( !a )
        a = b;
    if ( !last )
        return a;
    last->right = a;
    if ( a )
        a->parent = last;
    for ( ; last; last = last->parent )
        settle(last);
    return top;
}

void vlib_heap_insert(struct vlib_heap *h, struct vlib_node *n, s_time_t key,
                      uint64_t second)
{
    ASSERT(!n->queued);
    n->parent = n->left = n->right = NULL;
    n->rank = 1;
    n->queued = true;
    n->key = key;
    n->second = second;
    h->first = merge(h->first, n);
    h->first->parent = NULL;
}

void vlib_heap_remove(struct vlib_heap *h, struct vlib_node *n)
{
    struct vlib_node *parent = n->parent, *below;

    ASSERT(n->queued);
    if ( n->left )
        n->left->parent = NULL;
    if ( n->right )
        n->right->parent = NULL;
    below = merge(n->left, n->right);
    if ( below )
        below->parent = parent;
    if ( !parent )
        h->first = below;
    else
    {
        if ( parent->left == n )
            parent->left = below;
        else
            parent->right = below;
        while ( parent && settle(parent) )
            parent = parent->parent;
    }
    n->queued = false;
}
