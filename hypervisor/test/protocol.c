/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clients and a server that follow docs/reference/channel.md, in random order,
 * against the module's calls: the model in docs/model with the module's own
 * code, and with time.
 */
#include <inttypes.h>

#include "check.h"
#include "seed.h"
#include "world.h"

#define RUNS 20000
#define REQUESTS 6  /* of each client */

/* A client and its channel. */
static struct client {
    enum { IDLE, POSTED, WAITS, ENDED } at;
    uint64_t asked, answered;   /* the latter by the server; */
    uint64_t got;               /* seen by the client */
    bool outstanding;           /* the last request was given up */
    bool hasty;                 /* it may give the next one up */
    uint64_t finished;          /* ended by its timer */
    uint64_t issued;            /* calls made */
    bool live[VLIB_MAX_CALLS];  /* of the module's, when last seen */
} client[CLIENTS];

static struct {
    enum { TURN, LOOK, SERVE, CLOSED, EVENTS } at;
    unsigned int c;             /* channel that it examines, or serves */
    uint64_t last[CLIENTS];     /* request taken */
    unsigned int port;          /* that it served, or was told of; 0 */
    uint64_t request;
    bool tires, mute;           /* serves events alone: will, does */
} server;

static struct seed seed;

/*
 * Whether requests may be given up: not with a server that never reports that
 * it has finished them.
 */
static bool hasty(void)
{
    return !server.tires && seed_chance(&seed, 40);
}

static uint64_t charged[CLIENTS], calls, served;

static void show(void)
{
    unsigned int c;

    fprintf(stderr, "server %u at %u; active %p, %u queued, gate %s\n",
            server.at, server.c, (void *)world.vd.active, world.vd.queued,
            world.vd.open ? "open" : "closed");
    for ( c = 0; c < CLIENTS; c++ )
        fprintf(stderr, "client %u: %u, asked %lu, answered %lu%s\n", c,
                client[c].at, client[c].asked, client[c].answered,
                client[c].outstanding ? ", given up" : "");
}

static s_time_t timeout(const struct client *k)
{
    return k->hasty ? seed_range(&seed, 1, 2000000) : VLIB_MAX_TIMEOUT;
}

static void issue(unsigned int c, uint64_t request)
{
    unsigned int was = world_state(c, request);
    long rc = world_call(c, request, timeout(&client[c]));

    CHECK(rc >= 0, "call %lu of client %u: %ld", request, c, rc);
    CHECK(rc != VLIB_BEGUN_served || client[c].answered >= request,
          "request %lu of client %u was not served", request, c);
    if ( was != VLIB_CALL_queued && was != VLIB_CALL_active )
        client[c].issued++;
    CHECK(world.r[c].count == client[c].issued,
          "client %u made %lu calls, %lu are counted", c, client[c].issued,
          world.r[c].count);
}

static void step_client(unsigned int c)
{
    struct client *k = &client[c];
    bool gives_up = k->hasty && seed_chance(&seed, 10);

    switch ( k->at )
    {
    case IDLE:
        if ( k->outstanding && k->answered == k->asked )
        {
            k->outstanding = false;
            k->got = k->asked;
        }
        if ( k->outstanding )
        {
            issue(c, k->asked); /* the late answer is awaited and charged */
            k->at = WAITS;
        }
        else if ( k->asked == REQUESTS )
            k->at = ENDED;
        else
        {
            k->hasty = hasty();
            k->asked++;
            k->at = POSTED;
        }
        break;
    case POSTED:
        issue(c, k->asked);
        k->at = WAITS;
        break;
    case WAITS:
        if ( k->answered == k->asked )
        {
            k->outstanding = false;
            k->got = k->asked;
            k->at = IDLE;
        }
        else if ( gives_up )
        {
            world_cancel(c, k->asked);
            k->outstanding = true;
            k->hasty = hasty();
            k->at = IDLE;
        }
        break;
    case ENDED:
        break;
    }
}

/* The client's timer fires. */
static void step_timer(unsigned int c)
{
    if ( client[c].finished == client[c].got )
        return;
    client[c].finished = client[c].got;
    world_finish(c, client[c].got);
}

static void look(unsigned int c)
{
    server.c = c;
    server.at = LOOK;
}

static void told(long rc)
{
    if ( rc == CONTINUED )
        server.at = CLOSED;
    else if ( rc == -EAGAIN )
        server.at = EVENTS;
    else
    {
        CHECK(rc >= THERE(0) && rc < THERE(CLIENTS), "told of %ld", rc);
        server.port = rc;
        look(rc - THERE(0));
        server.request = 0; /* any request */
    }
}

static void listen(void)
{
    unsigned int port = server.port;

    server.port = 0;
    told(world_listen(port, server.request));
}

/* A channel that was signalled, if any. */
static bool event(unsigned int *c)
{
    for ( *c = 0; *c < CLIENTS; ++*c )
        if ( world.guest.pending[THERE(*c)] )
        {
            world.guest.pending[THERE(*c)] = false;
            return true;
        }
    return false;
}

static void step_server(void)
{
    unsigned int c;

    switch ( server.at )
    {
    case TURN:
        server.mute |= server.tires && seed_chance(&seed, 10);
        if ( server.mute )
            server.at = EVENTS;
        else if ( seed_chance(&seed, 20) && event(&c) )
        {
            world_complete(server.port, server.request);
            server.port = 0;
            look(c);
        }
        else
            listen();
        break;
    case LOOK:
        c = server.c;
        server.at = TURN;
        if ( client[c].asked != server.last[c] )
        {
            server.port = THERE(c);
            server.request = server.last[c] = client[c].asked;
            server.at = SERVE;
        }
        break;
    case SERVE:
        if ( seed_chance(&seed, 60) )
            break;
        client[server.c].answered = server.last[server.c];
        served++;
        server.at = LOOK; /* a last look before it listens */
        break;
    case CLOSED:
        if ( world.vd.open )
            told(world_resume());
        break;
    case EVENTS:
        if ( event(&c) )
            look(c);
        else if ( !server.mute && seed_chance(&seed, 20) )
            listen();
        break;
    }
}

static void hold(bool take)
{
    static long number;

    if ( take == !!world.vd.holds )
        return;
    number = vlib_hold(DOMAIN, take ? 0 : number, SECOND);
    CHECK(take ? number > 0 : !number, "hold: %ld", number);
}

/* No call ends as done unserved, and each is charged once. */
static void check(void)
{
    unsigned int c, i;

    for ( c = 0; c < CLIENTS; c++ )
        for ( i = 0; i < VLIB_MAX_CALLS; i++ )
        {
            struct vlib_call *call = &world.r[c].calls[i];
            bool was = client[c].live[i];

            client[c].live[i] = call->domain;
            if ( !was || call->domain )
                continue;
            calls++;
            CHECK(call->state != VLIB_CALL_done ||
                  client[c].answered >= call->request,
                  "request %lu of client %u is done unserved", call->request,
                  c);
            charged[c] += call->cost.foreground;
            CHECK(charged[c] <= world.account[c].usage.foreground,
                  "client %u was charged twice", c);
        }
}

static bool ended(void)
{
    unsigned int c;

    for ( c = 0; c < CLIENTS; c++ )
        if ( client[c].at != ENDED )
            return false;
    return true;
}

static void run(uint64_t number)
{
    unsigned int steps, c;

    check_seed = number;
    seed = (struct seed){ number };
    world_init();
    memset(client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
    memset(charged, 0, sizeof(charged));
    server.tires = seed_chance(&seed, 20);
    for ( steps = 0; !ended() && steps < 20000; steps++ )
    {
        unsigned int actor = seed_range(&seed, 0, 2 * CLIENTS + 6);

        /* Late in a long run nothing delays the server any more. */
        if ( actor < CLIENTS )
            step_client(actor);
        else if ( actor == CLIENTS )
            step_timer(seed_range(&seed, 0, CLIENTS - 1));
        else if ( actor == CLIENTS + 1 )
            hold(steps < 2000 && seed_chance(&seed, 10));
        else
            step_server();
        check();
        world_run(seed_range(&seed, 1, 20000));
        check();
    }
    CHECK(ended(), "a call is lost");
    /* No reservation is charged after its request is answered. */
    for ( c = 0; c < CLIENTS; c++ )
        step_timer(c);
    CHECK(!world.vd.active && !world.vd.queued,
          "a reservation is still charged");
}

int main(int argc, char **argv)
{
    uint64_t only = check_argument(argc, argv), n;

    check_show = show;
    for ( n = only ?: 1; n <= (only ?: RUNS); n++ )
        run(n);
    printf("protocol: passed, %"PRIu64" runs, %"PRIu64" calls, "
           "%"PRIu64" requests served\n", only ? 1 : n - 1, calls, served);
    return 0;
}
