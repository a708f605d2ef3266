/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that server.c, heap.c, admission.c and runqueue.c need of Xen. The test
 * harness provides its own version instead.
 */
#ifndef VLIB_PLATFORM_H
#define VLIB_PLATFORM_H

#ifdef __XEN__
#include <xen/cpumask.h>
#include <xen/lib.h>
#include <xen/list.h>
#include <xen/spinlock.h>
#include <xen/time.h>
#else
#include "stubs.h"
#endif

#define VLIB_NEVER ((s_time_t)(~0ULL >> 1))

#endif /* VLIB_PLATFORM_H */
