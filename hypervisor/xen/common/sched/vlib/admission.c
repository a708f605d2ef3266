/* SPDX-License-Identifier: GPL-2.0-only */
#include "admission.h"

/*
 * The next value for the response time: the demand that the last value admits.
 */
static void next_value(struct vlib_analysis *a, s_time_t last)
{
    a->last = last;
    a->sum = a->tasks[a->i].budget + a->late;
    a->j = 0;
}

void vlib_analysis_begin(struct vlib_analysis *a, const struct vlib_task *tasks,
                         unsigned int n, s_time_t late)
{
    *a = (struct vlib_analysis){ .tasks = tasks, .n = n, .late = late };
    if ( n )
        next_value(a, tasks[0].budget);
}

void vlib_analysis_from(struct vlib_analysis *a, s_time_t period)
{
    while ( a->i < a->n && a->tasks[a->i].period < period )
        a->i++;
    if ( a->i < a->n )
        next_value(a, a->tasks[a->i].budget);
}

/*
 * A response time is the least fixed point of r = C + late + sum of ceil(r /
 * Tj) Cj + late, or a value beyond the period. It is at least that of the task
 * before. The search begins there, so that all tasks together take as many
 * steps as the last one. Periods are at most VLIB_MAX_PERIOD, so no sum
 * overflows before it is beyond the period.
 */
enum vlib_outcome vlib_analysis_continue(struct vlib_analysis *a,
                                         unsigned int steps,
                                         struct vlib_verdict *verdict)
{
    while ( a->i < a->n )
    {
        const struct vlib_task *own = &a->tasks[a->i];

        for ( ; a->j < a->n && a->tasks[a->j].period <= own->period; a->j++ )
        {
            const struct vlib_task *t = &a->tasks[a->j];

            if ( !steps-- )
                return VLIB_UNDECIDED;
            if ( t == own )
                continue;
            a->sum += DIV_ROUND_UP(a->last, t->period) * t->budget + a->late;
            if ( a->sum > own->period )
                break;
        }
        if ( a->sum > own->period )
        {
            verdict->id = own->id;
            verdict->response = a->sum;
            return VLIB_MISSES;
        }
        if ( a->sum != a->last )
            next_value(a, a->sum);
        else if ( ++a->i < a->n )
            next_value(a, max(a->tasks[a->i].budget, a->last));
    }
    return VLIB_FITS;
}
