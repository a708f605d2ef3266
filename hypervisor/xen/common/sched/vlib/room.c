/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room for a reservation that fits nowhere as things are: a server of another
 * one moves to a CPU on which it is admitted, and leaves its own. It is
 * admitted there before it leaves, so no guarantee is broken. Of the servers on
 * a CPU the smallest that makes enough room goes first.
 */
#include "module.h"

#define TRIED_AT_MOST 3     /* servers, for one change */
#define CPUS_AT_MOST  8     /* that are searched for one */
#define STALE MILLISECS(50) /* of a change whose caller does not come back */

static struct {
    struct vlib_query q;    /* the change; q.r: NULL: none is under way */
    struct vlib_refusal refusal;
    cpumask_t cpus;         /* on which one could make room */
    struct vlib_query other; /* the server that is to move; r: NULL: none */
    unsigned int made;      /* the CPU that one has left; 0: none */
    uint64_t share;         /* of the last one that was tried, and its number */
    unsigned int id, tries, searched;
    s_time_t touched;
} room;

/* The share that must leave the CPU. */
static uint64_t excess(unsigned int cpu)
{
    uint64_t sum = vlib_admitted(cpu) +
                   vlib_share(room.q.budget, room.q.period);

    return sum > 1000000 ? sum - 1000000 : 0;
}

/* Whether a server goes before the one that was found, and after the last. */
static bool better(const struct vlib_reservation *r, uint64_t share,
                   uint64_t best)
{
    return share < best &&
           (share > room.share || (share == room.share && r->id > room.id));
}

static void consider(struct vlib_reservation *r, unsigned int cpu,
                     uint64_t *best)
{
    const struct vlib_server *s = vlib_values(r);
    uint64_t share = vlib_share(s->budget, s->period);
    unsigned int i;

    if ( r == room.q.r || !cpumask_test_cpu(cpu, &r->cpus) ||
         share < excess(cpu) || !better(r, share, *best) )
        return;
    for ( i = 0; i < r->nr_servers; i++ )
        if ( cpumask_test_cpu(cpu, &r->server[i]->admitted) )
            break;
    *best = share;
    room.other = (struct vlib_query){
        .r = r, .budget = s->budget, .period = s->period,
        .servers = r->nr_servers, .only = i, .leave = cpu,
    };
}

/* Chooses the server that is to move next; returns whether there is one. */
static bool choose(void)
{
    uint64_t best = ~0ULL;
    unsigned int cpu, i;

    room.other.r = NULL;
    if ( room.tries++ == TRIED_AT_MOST )
        return false;
    while ( (cpu = cpumask_any(&room.cpus)) < nr_cpu_ids &&
            room.searched < CPUS_AT_MOST )
    {
        for ( i = 0; i < vlib_nr_reservations; i++ )
            consider(vlib_order[i], cpu, &best);
        if ( room.other.r )
        {
            room.share = best;
            room.id = room.other.r->id;
            return true;
        }
        cpumask_clear_cpu(cpu, &room.cpus);
        room.share = room.id = 0;
        room.searched++;
    }
    return false;
}

static bool same(const struct vlib_query *q)
{
    return room.q.r == q->r && room.q.budget == q->budget &&
           room.q.period == q->period && room.q.servers == q->servers &&
           room.q.added == q->added;
}

/* The other server moves, or cannot. */
static int move_other(struct vlib_refusal *refusal)
{
    struct vlib_refusal ignored;
    int rc = vlib_trial(&room.other, &ignored);

    if ( !rc )
    {
        vlib_reservation_admit(room.other.r);
        room.made = room.other.leave;
        room.other.r = NULL;
    }
    else if ( rc == -ENOSPC && !choose() )
    {
        room.q.r = NULL;
        *refusal = room.refusal;
        return -ENOSPC;
    }
    return -ERESTART;
}

int vlib_fit(const struct vlib_query *q, struct vlib_refusal *refusal)
{
    struct vlib_query now = *q;
    int rc;

    if ( room.q.r && !same(q) )
    {
        if ( NOW() - room.touched < STALE )
            return -ERESTART;
        room.q.r = NULL;
    }
    room.touched = NOW();
    if ( room.q.r && room.other.r )
        return move_other(refusal);
    if ( room.q.r )
        now.first = room.made;
    rc = vlib_trial(&now, refusal);
    if ( rc == -ENOSPC )
    {
        if ( !room.q.r )
        {
            room.q = *q;
            room.refusal = *refusal;
            room.share = room.id = room.tries = room.searched = room.made = 0;
            vlib_plan_alternatives(refusal->server, refusal->cpu, &room.cpus);
        }
        if ( choose() )
            return -ERESTART;
    }
    if ( rc != -ERESTART )
        room.q.r = NULL;
    return rc;
}

void vlib_room_forget(const struct vlib_reservation *r,
                      const struct vlib_domain *vd)
{
    if ( room.q.r == r || room.other.r == r || (vd && room.q.added == vd) )
        room.q.r = room.other.r = NULL;
}
