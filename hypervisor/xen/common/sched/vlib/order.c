/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reservations by number, and in order of their periods; those with equal
 * periods in order of creation.
 */
#include <xen/nospec.h>

#include "module.h"

unsigned int vlib_nr_reservations;
struct vlib_reservation *vlib_order[VLIB_MAX_RESERVATIONS];
uint64_t vlib_order_revision;
static struct vlib_reservation *table[VLIB_MAX_RESERVATIONS];

struct vlib_reservation *vlib_reservation_find(unsigned long id)
{
    return id < VLIB_MAX_RESERVATIONS
           ? table[array_index_nospec(id, VLIB_MAX_RESERVATIONS)] : NULL;
}

static s_time_t period_of(const struct vlib_reservation *r)
{
    return vlib_values(r)->period;
}

/* The first place whose period is at least this one, or longer than it. */
static unsigned int place_of(s_time_t period, bool longer)
{
    unsigned int low = 0, high = vlib_nr_reservations;

    while ( low < high )
    {
        unsigned int middle = (low + high) / 2;
        s_time_t there = period_of(vlib_order[middle]);

        if ( there < period || (longer && there == period) )
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void vlib_order_insert(struct vlib_reservation *r)
{
    unsigned int place = place_of(period_of(r), true);

    memmove(&vlib_order[place + 1], &vlib_order[place],
            (vlib_nr_reservations - place) * sizeof(vlib_order[0]));
    vlib_order[place] = r;
    vlib_nr_reservations++;
    vlib_order_revision++;
    table[r->id] = r;
}

void vlib_order_remove(struct vlib_reservation *r)
{
    unsigned int place = place_of(period_of(r), false);

    while ( vlib_order[place] != r )
        place++;
    vlib_nr_reservations--;
    vlib_order_revision++;
    memmove(&vlib_order[place], &vlib_order[place + 1],
            (vlib_nr_reservations - place) * sizeof(vlib_order[0]));
    table[r->id] = NULL;
}
