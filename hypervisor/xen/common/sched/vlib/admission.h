/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Response-time analysis of one CPU's reservations, rate-monotonic, deadline
 * equal to period. M. Joseph, P. Pandya, 1986; N. Audsley et al., 1993.
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

/*
 * Says whether all of n tasks keep their deadlines when each may run up to
 * late longer than its budget once, and be late by as much when it begins.
 * Equal periods are counted against each other. It sorts the tasks.
 */
bool vlib_admit(struct vlib_task *tasks, unsigned int n, s_time_t late,
                struct vlib_verdict *verdict);

#endif /* VLIB_ADMISSION_H */
