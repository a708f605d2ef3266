/* SPDX-License-Identifier: GPL-2.0-only */
/* Random tasks: with jobs, greedy ones, and ones without a reservation. */
#ifndef VLIB_TASKSET_H
#define VLIB_TASKSET_H

#include "simulator.h"

void taskset_make(struct seed *s);

/* Periods are similar, so that a short run sees many of each. */
int64_t taskset_period(struct seed *s);

/* Whether all tasks on a CPU meet their deadlines if a has these values. */
bool taskset_fits(unsigned int cpu, const struct account *a, s_time_t budget,
                  s_time_t period);

/* Changes a, if that fits on all of its CPUs. */
bool taskset_change(struct account *a, s_time_t budget, s_time_t period);

/* Sets when t wakes next, and for how much work. */
void taskset_plan(struct task *t);

#endif /* VLIB_TASKSET_H */
