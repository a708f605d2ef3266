/* SPDX-License-Identifier: GPL-2.0-only */
/* Random tasks: jobs, greedy ones, and such as have no reservation. */
#ifndef VLIB_TASKSET_H
#define VLIB_TASKSET_H

#include "simulator.h"

void taskset_make(struct seed *s);

/* Not too far from one another, so that a short run sees many of each. */
int64_t taskset_period(struct seed *s);

/* Whether everybody keeps the deadlines on a CPU if a has these values. */
bool taskset_fits(unsigned int cpu, const struct account *a, s_time_t budget,
                  s_time_t period);

/* Changes a, if that fits on all of its CPUs. */
bool taskset_change(struct account *a, s_time_t budget, s_time_t period);

/* Says when t is next to wake, and for how much work. */
void taskset_plan(struct task *t);

#endif /* VLIB_TASKSET_H */
