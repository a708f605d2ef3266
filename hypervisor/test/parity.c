/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server and the admission test as a filter: it reads a line for each
 * operation and prints a line with the result, so that an implementation in
 * another language can be compared.
 *
 *   n BUDGET PERIOD NOW      init      -> LEFT NEXT COUNT {AT AMOUNT}
 *   c BUDGET PERIOD NOW      change    -> the same
 *   w NOW                    wake      -> the same
 *   u USED NOW               charge    -> the same
 *   a LATE N {ID BUDGET PERIOD}        -> "ok", or ID RESPONSE
 *
 * LEFT is as of NOW.
 */
#include <inttypes.h>

#include "admit.h"
#include "check.h"
#include "server.h"

#define MOST 4096

static int64_t number(void)
{
    int64_t n;

    CHECK(scanf("%"SCNd64, &n) == 1, "a number is missing");
    return n;
}

static void server_operation(char operation)
{
    static struct vlib_server server;
    int64_t a = operation == 'w' ? 0 : number();
    int64_t b = operation == 'n' || operation == 'c' ? number() : 0;
    int64_t now = number();
    unsigned int i;

    switch ( operation )
    {
    case 'n':
        vlib_server_init(&server, a, b, now);
        break;
    case 'c':
        vlib_server_change(&server, a, b, now);
        break;
    case 'w':
        vlib_server_wake(&server, now);
        break;
    case 'u':
        vlib_server_charge(&server, a);
        break;
    default:
        CHECK(false, "no operation %c", operation);
    }
    printf("%"PRId64" %"PRId64" %u", vlib_server_left(&server, now),
           vlib_server_next(&server), server.count);
    for ( i = 0; i < server.count; i++ )
    {
        const struct vlib_refill *r =
            &server.refill[(server.head + i) % VLIB_REFILLS];

        printf(" %"PRId64" %"PRId64, r->at, r->amount);
    }
    printf("\n");
}

static void admission(void)
{
    static struct vlib_task tasks[MOST];
    struct vlib_verdict verdict;
    s_time_t late = number();
    int64_t n = number(), i;

    CHECK(n >= 0 && n <= MOST, "%"PRId64" tasks", n);
    for ( i = 0; i < n; i++ )
    {
        tasks[i].id = number();
        tasks[i].budget = number();
        tasks[i].period = number();
    }
    if ( admit(tasks, n, late, &verdict) )
        printf("ok\n");
    else
        printf("%u %"PRId64"\n", verdict.id, verdict.response);
}

int main(void)
{
    char operation;

    while ( scanf(" %c", &operation) == 1 )
    {
        if ( operation == 'a' )
            admission();
        else
            server_operation(operation);
    }
    return 0;
}
