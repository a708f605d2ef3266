/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Response-time analysis of one CPU's reservations, rate-monotonic, deadline
 * equal to period. M. Joseph, P. Pandya, 1986; N. Audsley et al., 1993.
 *
 * It takes as many steps as there are pairs of reservations, and more: with
 * thousands of them that is a second. So it can be interrupted after any step.
 */
#ifndef VLIB_ADMISSION_H
#define VLIB_ADMISSION_H

#include "platform.h"

struct vlib_task {
    unsigned int id;
    s_time_t budget, period;
};

struct vlib_verdict {
    unsigned int id;            /* that would miss */
    s_time_t response;          /* found so far: longer than its period */
};

enum vlib_outcome { VLIB_UNDECIDED, VLIB_FITS, VLIB_MISSES };

struct vlib_analysis {
    const struct vlib_task *tasks;
    unsigned int n, i, j;       /* whose response time; whose part of it next */
    s_time_t late;
    s_time_t last, sum;         /* the last value for it, and the next so far */
};

/*
 * Prepares to say whether all of n tasks, sorted by period, keep their
 * deadlines when each may run up to late longer than its budget once, and be
 * late by as much when it begins. Equal periods are counted against each other.
 * The tasks stay the caller's, and as they are until there is an outcome.
 */
void vlib_analysis_begin(struct vlib_analysis *a, const struct vlib_task *tasks,
                         unsigned int n, s_time_t late);

/* Goes on for so many steps at most. The verdict is that of VLIB_MISSES. */
enum vlib_outcome vlib_analysis_continue(struct vlib_analysis *a,
                                         unsigned int steps,
                                         struct vlib_verdict *verdict);

#endif /* VLIB_ADMISSION_H */
