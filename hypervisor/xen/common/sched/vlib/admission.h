/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Response-time analysis of one CPU's reservations, rate-monotonic, deadline
 * equal to period. M. Joseph, P. Pandya, 1986; N. Audsley et al., 1993.
 *
 * It takes at least as many steps as there are pairs of reservations. With
 * thousands of reservations that is a second, so it can be interrupted after
 * any step.
 */
#ifndef VLIB_ADMISSION_H
#define VLIB_ADMISSION_H

#include "platform.h"

struct vlib_task {
    unsigned int id;
    s_time_t budget, period;
};

struct vlib_verdict {
    unsigned int id;            /* the task that would miss its deadline */
    s_time_t response;          /* its response time: longer than its period */
};

enum vlib_outcome { VLIB_UNDECIDED, VLIB_FITS, VLIB_MISSES };

struct vlib_analysis {
    const struct vlib_task *tasks;
    unsigned int n, i, j;       /* task analysed; next part of it */
    s_time_t late;
    s_time_t last, sum;         /* its last value; the next, so far */
};

/*
 * Prepares to decide whether each of n tasks, sorted by period, meets its
 * deadline. Each task may run up to 'late' longer than its budget once, and
 * may begin up to 'late' after its release. Tasks with equal periods are
 * counted against each other. The caller keeps the tasks, and does not change
 * them before there is an outcome.
 */
void vlib_analysis_begin(struct vlib_analysis *a, const struct vlib_task *tasks,
                         unsigned int n, s_time_t late);

/*
 * Continues with tasks of this period and longer ones. Shorter ones meet their
 * deadlines if they did without longer ones.
 */
void vlib_analysis_from(struct vlib_analysis *a, s_time_t period);

/*
 * Takes at most so many steps. The verdict is set if VLIB_MISSES is returned.
 */
enum vlib_outcome vlib_analysis_continue(struct vlib_analysis *a,
                                         unsigned int steps,
                                         struct vlib_verdict *verdict);

#endif /* VLIB_ADMISSION_H */
