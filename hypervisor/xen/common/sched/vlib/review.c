/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The review, each second: vCPUs may have moved, and reservations may fit now
 * where they did not before.
 */
#include "module.h"

/*
 * A review examines all reservations, at most this many vCPUs in one critical
 * section of vlib_lock. It ends early when this many did not fit, since each
 * trial among thousands of reservations is expensive.
 */
#define REVIEWED_AT_ONCE 64
#define REFUSED_AT_MOST  4

LIST_HEAD(vlib_reviewed);
static unsigned int to_review, refused;

/* Begins to review all: vCPUs may have moved. */
void vlib_review_all(void)
{
    to_review = vlib_nr_reservations;
    refused = 0;
}

/*
 * Gives up the CPUs that a server's vCPUs have left, and asks for the new ones.
 */
static int review_server(struct vlib_reservation *r, unsigned int i,
                         const cpumask_t *need)
{
    struct vlib_account *a = r->server[i];
    struct vlib_query q = {
        .r = r, .budget = a->server.budget, .period = a->server.period,
        .servers = r->nr_servers, .only = i,
    };
    struct vlib_refusal refusal;
    cpumask_t cpus;
    int rc;

    if ( cpumask_equal(need, &a->admitted) )
        return 0;
    rc = vlib_trial(&q, &refusal);
    if ( !rc )
        vlib_reservation_admit(r);
    else if ( rc == -ENOSPC )
    {
        refused++;
        cpumask_and(&cpus, need, &a->admitted);
        if ( !cpumask_equal(&cpus, &a->admitted) )
            vlib_reservation_withdraw(r, i, &cpus);
    }
    return rc;
}

static int review(struct vlib_reservation *r)
{
    const cpumask_t *need = vlib_reservation_needs(r);

    for ( ; r->to_review < r->nr_servers; r->to_review++ )
        if ( review_server(r, r->to_review, &need[r->to_review]) == -ERESTART )
            return -ERESTART;
    r->to_review = 0;
    return 0;
}

/* The number of vCPUs and domains that a review of r examines; at least 1. */
static unsigned int width(const struct vlib_reservation *r)
{
    unsigned int n = r->nr_servers +
                     (r->adopted ? vlib_domain_work(r->adopted) : 0);
    const struct vlib_callee *c;

    list_for_each_entry ( c, &r->callees, list )
        n += vlib_domain_work(c->domain);
    return n;
}

/* Continues a review. Returns whether there is more to do soon. */
bool vlib_review(void)
{
    unsigned int n = 0;

    while ( n < REVIEWED_AT_ONCE && to_review )
    {
        struct vlib_reservation *r;

        if ( list_empty(&vlib_reviewed) || refused == REFUSED_AT_MOST )
        {
            to_review = 0;
            break;
        }
        r = list_entry(vlib_reviewed.next, struct vlib_reservation, list);
        if ( review(r) == -ERESTART )
            break;
        list_move_tail(&r->list, &vlib_reviewed);
        to_review--;
        n += width(r);
    }
    return to_review;
}
