/* SPDX-License-Identifier: GPL-2.0-only */
/* The whole analysis, of tasks in any order; it sorts them. */
#ifndef VLIB_ADMIT_H
#define VLIB_ADMIT_H

#include "admission.h"

/* Interrupted after every so many steps. */
static inline bool admit_in_steps(struct vlib_task *tasks, unsigned int n,
                                  s_time_t late, struct vlib_verdict *verdict,
                                  unsigned int steps)
{
    struct vlib_analysis a;
    enum vlib_outcome outcome;
    unsigned int i, j;

    for ( i = 1; i < n; i++ )
    {
        struct vlib_task t = tasks[i];

        for ( j = i; j && tasks[j - 1].period > t.period; j-- )
            tasks[j] = tasks[j - 1];
        tasks[j] = t;
    }
    vlib_analysis_begin(&a, tasks, n, late);
    do
        outcome = vlib_analysis_continue(&a, steps, verdict);
    while ( outcome == VLIB_UNDECIDED );
    return outcome == VLIB_FITS;
}

static inline bool admit(struct vlib_task *tasks, unsigned int n, s_time_t late,
                         struct vlib_verdict *verdict)
{
    return admit_in_steps(tasks, n, late, verdict, ~0U);
}

#endif /* VLIB_ADMIT_H */
