/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A leftist heap: smallest key first; equal keys in the order of their second
 * key. Nodes are members of what they order, so nothing is allocated.
 * Insertion, and removal of any node, are O(log n).
 */
#ifndef VLIB_HEAP_H
#define VLIB_HEAP_H

#include "platform.h"

struct vlib_node {
    struct vlib_node *parent, *left, *right;
    unsigned int rank;          /* nodes on the right path to its end */
    bool queued;
    s_time_t key;
    uint64_t second;
};

struct vlib_heap {
    struct vlib_node *first;
};

void vlib_heap_insert(struct vlib_heap *h, struct vlib_node *n, s_time_t key,
                      uint64_t second);
void vlib_heap_remove(struct vlib_heap *h, struct vlib_node *n);

#endif /* VLIB_HEAP_H */
