/* SPDX-License-Identifier: GPL-2.0-only */
#include "server.h"

static struct vlib_refill *nth(struct vlib_server *s, unsigned int n)
{
    return &s->refill[(s->head + n) % VLIB_REFILLS];
}

static void pop(struct vlib_server *s)
{
    s->head = (s->head + 1) % VLIB_REFILLS;
    s->count--;
}

/*
 * Makes room for one more in a full list. Of two neighbours the earlier joins
 * the later one. This can only make the server slower; it does so least with
 * the pair whose sum is smallest. The first is left alone, as it may be in
 * use. Returns the place of the later one of the pair, VLIB_REFILLS if that is
 * the new one.
 */
static unsigned int smallest_pair(struct vlib_server *s, s_time_t amount)
{
    unsigned int i, later = VLIB_REFILLS;
    s_time_t least = nth(s, VLIB_REFILLS - 1)->amount + amount;

    for ( i = VLIB_REFILLS - 1; i > 1; i-- )
    {
        s_time_t sum = nth(s, i - 1)->amount + nth(s, i)->amount;

        if ( sum <= least )
        {
            least = sum;
            later = i;
        }
    }
    return later;
}

/* Appends a refill to a full list. */
static void push_full(struct vlib_server *s, s_time_t at, s_time_t amount)
{
    struct vlib_refill *last = nth(s, VLIB_REFILLS - 1);
    unsigned int i = smallest_pair(s, amount);

    if ( i < VLIB_REFILLS )
    {
        nth(s, i)->amount += nth(s, i - 1)->amount;
        for ( ; i < VLIB_REFILLS; i++ )
            *nth(s, i - 1) = *nth(s, i);
        last->amount = 0;
    }
    last->at = at;
    last->amount += amount;
}

/* Appends a refill, or adds to the last one if that is at the same time. */
static void push(struct vlib_server *s, s_time_t at, s_time_t amount)
{
    struct vlib_refill *last;

    if ( s->count )
    {
        last = nth(s, s->count - 1);
        at = max(at, last->at);
        if ( last->at == at )
        {
            last->amount += amount;
            return;
        }
        if ( s->count == VLIB_REFILLS )
        {
            push_full(s, at, amount);
            return;
        }
    }
    last = nth(s, s->count++);
    last->at = at;
    last->amount = amount;
}

void vlib_server_init(struct vlib_server *s, s_time_t budget, s_time_t period,
                      s_time_t now)
{
    s->budget = budget;
    s->period = period;
    s->head = s->count = 0;
    push(s, now, budget);
}

void vlib_server_change(struct vlib_server *s, s_time_t budget,
                        s_time_t period, s_time_t now)
{
    s_time_t full = nth(s, s->count - 1)->at, more = budget - s->budget;

    if ( full <= now )
        vlib_server_init(s, budget, period, now);
    else if ( more <= 0 )
        vlib_server_init(s, budget, period, min(full, now + period));
    else
    {
        vlib_server_init(s, s->budget, period, min(full, now + period));
        s->budget = budget;
        push(s, now + period, more);
    }
}

void vlib_server_wake(struct vlib_server *s, s_time_t now)
{
    struct vlib_refill first = *nth(s, 0);

    if ( first.at >= now )
        return;
    first.at = now;
    while ( s->count > 1 && nth(s, 1)->at <= now )
    {
        pop(s);
        first.amount += nth(s, 0)->amount;
    }
    *nth(s, 0) = first;
}

void vlib_server_charge(struct vlib_server *s, s_time_t used)
{
    unsigned int i;

    /* Each whole budget used delays every refill by one period. */
    if ( used >= s->budget )
    {
        s_time_t periods = used / s->budget;

        for ( i = 0; i < s->count; i++ )
            nth(s, i)->at += periods * s->period;
        used -= periods * s->budget;
    }
    while ( used > 0 )
    {
        struct vlib_refill *first = nth(s, 0);
        s_time_t part = min(used, first->amount), at = first->at + s->period;

        used -= part;
        if ( part == first->amount )
            pop(s);
        else
            first->amount -= part;
        push(s, at, part);
    }
}

s_time_t vlib_server_left(const struct vlib_server *s, s_time_t now)
{
    s_time_t left = 0;
    unsigned int i;

    for ( i = 0; i < s->count; i++ )
    {
        const struct vlib_refill *r =
            &s->refill[(s->head + i) % VLIB_REFILLS];

        if ( r->at > now )
            break;
        left += r->amount;
    }
    return left;
}
