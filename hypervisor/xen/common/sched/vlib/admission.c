/* SPDX-License-Identifier: GPL-2.0-only */
#include "admission.h"

/* Insertion: the list is built anew rarely, from one that is nearly sorted. */
static void sort(struct vlib_task *tasks, unsigned int n)
{
    unsigned int i, j;

    for ( i = 1; i < n; i++ )
    {
        struct vlib_task t = tasks[i];

        for ( j = i; j && tasks[j - 1].period > t.period; j-- )
            tasks[j] = tasks[j - 1];
        tasks[j] = t;
    }
}

/*
 * The least fixed point of r = C + sum of ceil(r / Tj) Cj, or a value beyond
 * the period. It is not below 'least', that of the task before, so the search
 * begins there: all tasks together take the steps of one. Periods are at most
 * VLIB_MAX_PERIOD, so nothing overflows before it is beyond.
 */
static s_time_t response(const struct vlib_task *tasks, unsigned int n,
                         unsigned int i, s_time_t late, s_time_t least)
{
    s_time_t r = max(tasks[i].budget, least), last = 0;
    unsigned int j;

    while ( r != last && r <= tasks[i].period )
    {
        last = r;
        r = tasks[i].budget + late;
        for ( j = 0; j < n && tasks[j].period <= tasks[i].period; j++ )
        {
            if ( j == i )
                continue;
            r += DIV_ROUND_UP(last, tasks[j].period) * tasks[j].budget + late;
            if ( r > tasks[i].period )
                break;
        }
    }
    return r;
}

bool vlib_admit(struct vlib_task *tasks, unsigned int n, s_time_t late,
                struct vlib_verdict *verdict)
{
    s_time_t r = 0;
    unsigned int i;

    sort(tasks, n);
    for ( i = 0; i < n; i++ )
    {
        r = response(tasks, n, i, late, r);
        if ( r > tasks[i].period )
        {
            verdict->id = tasks[i].id;
            verdict->response = r;
            return false;
        }
    }
    return true;
}
