/* SPDX-License-Identifier: GPL-2.0-only */
/* Properties of calls, one history for each. */
#include "check.h"
#include "world.h"

#define MS 1000000LL

/* The server listens; there is nothing to do. */
static void listening(void)
{
    world_init();
    CHECK(world_listen(0, 0) == CONTINUED, "LISTEN does not wait");
    CHECK(!world.vd.open, "the gate is open");
}

/* A client calls a server that listens, and the server is told. */
static void called(unsigned int c, uint64_t request)
{
    long rc = world_call(c, request, SECOND);

    CHECK(rc == VLIB_BEGUN_active, "%ld", rc);
    rc = world_resume();
    CHECK(rc == THERE(c), "told of %ld", rc);
}

static void state(unsigned int c, uint64_t request, unsigned int want)
{
    unsigned int is = world_state(c, request);

    CHECK(is == want, "request %lu of client %u is %u, not %u", request, c, is,
          want);
}

/*
 * Request 2 is given up while it is queued. The server finds it all the same,
 * and is about to listen when request 3 begins.
 */
static void fresh_call_is_served(void)
{
    listening();
    called(1, 1);
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "request 2 began");
    CHECK(!world_cancel(0, 2), "request 2 cannot be cancelled");
    CHECK(!world_complete(THERE(1), 1), "client 1's is not completed");
    CHECK(world_call(0, 3, SECOND) == VLIB_BEGUN_active,
          "request 3 did not begin");
    CHECK(world_listen(THERE(0), 2) == THERE(0),
          "the server is not told of request 3");
    state(0, 3, VLIB_CALL_active);
    CHECK(world_listen(THERE(0), 3) == CONTINUED, "LISTEN does not wait");
    state(0, 3, VLIB_CALL_done);
}

static void repeated_call_has_its_own_deadline(void)
{
    listening();
    CHECK(world_call(0, 1, 10 * MS) == VLIB_BEGUN_active,
          "request 1 did not begin");
    CHECK(world_resume() == THERE(0), "the server is not told of it");
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "request 2 began");
    world_run(20 * MS);
    state(0, 1, VLIB_CALL_timeout);
    state(0, 2, VLIB_CALL_queued);
    CHECK(world_listen(THERE(0), 1) == THERE(0),
          "the server is not told of request 2");
    state(0, 2, VLIB_CALL_active);
    world_run(900 * MS);
    state(0, 2, VLIB_CALL_active);
    world_run(100 * MS);
    state(0, 2, VLIB_CALL_timeout);
}

/*
 * Two requests that the server finds by polling, before it listens, are
 * counted.
 */
static void polled_requests_are_counted(void)
{
    listening();
    called(0, 1);
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "request 2 began");
    CHECK(world_call(0, 3, SECOND) == VLIB_BEGUN_queued, "request 3 began");
    CHECK(world_listen(THERE(0), 3) == CONTINUED, "told of served requests");
    CHECK(world.r[0].count == 3, "%lu are counted", world.r[0].count);
    CHECK(world.vd.calls == 3, "%lu are done", world.vd.calls);
    /* A request that is served before it is called is counted, too. */
    CHECK(world_call(0, 4, SECOND) == VLIB_BEGUN_active,
          "request 4 did not begin");
    CHECK(world_resume() == THERE(0), "the server is not told of it");
    CHECK(world_listen(THERE(0), 5) == CONTINUED, "LISTEN does not wait");
    CHECK(world_call(0, 5, SECOND) == VLIB_BEGUN_served, "request 5 began");
    CHECK(!world.vd.open, "the gate is open for request 5");
    CHECK(world.r[0].count == 5 && world.vd.calls == 5,
          "%lu are counted, %lu done", world.r[0].count, world.vd.calls);
}

static void answered_call_is_paid_no_longer(void)
{
    listening();
    called(0, 1);
    world_run(3 * MS);
    CHECK(!world_finish(0, 1), "request 1 cannot be finished");
    state(0, 1, VLIB_CALL_done);
    world_run(SECOND);
    CHECK(world.account[0].usage.foreground == 3 * MS, "charged %lu",
          world.account[0].usage.foreground);
    CHECK(world_finish(0, 1) == -ESRCH, "request 1 finished twice");
    /*
     * The next request begins. The server does not listen, and gets an event.
     */
    world.guest.pending[THERE(0)] = false;
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_active,
          "request 2 did not begin");
    CHECK(world.guest.pending[THERE(0)], "the server got no event");
}

/* A client ends, or gives up, its own request and no other. */
static void late_reports_end_nothing(void)
{
    listening();
    called(0, 1);
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "request 2 began");
    CHECK(!world_finish(0, 1), "request 1 cannot be finished");
    state(0, 2, VLIB_CALL_active);
    CHECK(world_finish(0, 1) == -ESRCH, "request 1 finished twice");
    CHECK(world_cancel(0, 1) == -ESRCH, "a finished request was cancelled");
    CHECK(world_cancel(1, 2) == -ESRCH,
          "another client's request was cancelled");
    state(0, 2, VLIB_CALL_active);
}

/* A caller that waits is woken by the end of its call, whatever ends it. */
static void caller_waits_for_the_end(void)
{
    const unsigned long wait = VLIB_CALL_WAIT;
    unsigned int end;

    for ( end = 0; end < 4; end++ )
    {
        listening();
        current_domain = &world.dom0;
        CHECK(vlib_call(DOMAIN, HERE(0), 1 | wait, SECOND, 1) ==
              VLIB_BEGUN_active, "request 1 did not begin");
        CHECK(world.dom0.vcpu.blocked, "the caller does not wait");
        CHECK(world_resume() == THERE(0), "the server is not told of it");
        CHECK(world.dom0.vcpu.blocked, "the start of the call woke the caller");
        if ( end == 0 )
            CHECK(world_listen(THERE(0), 1) == CONTINUED, "LISTEN returned");
        else if ( end == 1 )
            CHECK(!world_complete(THERE(0), 1), "request 1 is not completed");
        else if ( end == 2 )
            CHECK(!world_cancel(0, 1), "request 1 cannot be cancelled");
        else
            world_run(2 * SECOND);
        CHECK(!world.dom0.vcpu.blocked, "end %u did not wake the caller", end);
    }
    /* Nothing is waited for that is over, or that was refused. */
    listening();
    called(0, 2);
    CHECK(world_listen(THERE(0), 3) == CONTINUED, "LISTEN returned");
    current_domain = &world.dom0;
    CHECK(vlib_call(DOMAIN, HERE(0), 1 | wait, SECOND, 3) == VLIB_BEGUN_served,
          "request 3 began");
    CHECK(!world.dom0.vcpu.blocked, "the caller waits for what was served");
    CHECK(vlib_call(DOMAIN, HERE(0), 9 | wait, SECOND, 4) == -ENOENT,
          "reservation 9 is known");
    CHECK(!world.dom0.vcpu.blocked, "the caller waits for what was refused");
}

static void busy_with_abandoned_request(void)
{
    listening();
    called(0, 1);
    CHECK(!world_cancel(0, 1), "request 1 cannot be cancelled");
    CHECK(world_call(1, 1, SECOND) == VLIB_BEGUN_queued,
          "a call of a busy domain began");
    CHECK(world_finish(1, 1) == 0, "cannot finish a queued request");
    CHECK(world_call(1, 2, SECOND) == VLIB_BEGUN_queued,
          "a call of a busy domain began");
    CHECK(!world_finish(0, 1), "a late answer cannot be finished");
    state(1, 2, VLIB_CALL_active);
}

static void no_more_than_two_at_once(void)
{
    listening();
    called(0, 1);
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "request 2 began");
    /* Another channel of the same reservation. */
    world.dom0.port[20] = world.dom0.port[HERE(0)];
    world.dom0.port[20].u.interdomain.remote_port = 30;
    current_domain = &world.dom0;
    CHECK(vlib_call(DOMAIN, 20, 1, SECOND, 1) == -EBUSY,
          "a third call is not refused");
    CHECK(!world_finish(0, 2), "request 2 cannot be finished");
    CHECK(vlib_call(DOMAIN, 20, 1, SECOND, 1) == VLIB_BEGUN_active,
          "the reservation is busy");
    CHECK(world_call(0, 3, SECOND) == VLIB_BEGUN_queued,
          "there is no slot for request 3");
}

/* A port that another channel has taken over restarts at request 1. */
static void numbers_restart_at_one(void)
{
    listening();
    called(0, 7);
    CHECK(world_call(0, 1, SECOND) == VLIB_BEGUN_queued,
          "request 1 was refused");
    CHECK(world_state(0, 7) != VLIB_CALL_active,
          "the old request is still charged");
    CHECK(world_listen(THERE(0), 0) == THERE(0),
          "the server is not told of request 1");
    state(0, 1, VLIB_CALL_active);
    CHECK(world_listen(THERE(0), 1) == CONTINUED, "LISTEN does not wait");
    /*
     * The request served at that port before was not the new channel's first.
     */
    CHECK(world_listen(THERE(0), 1) == CONTINUED, "LISTEN does not wait");
    CHECK(world_call(0, 1, SECOND) == VLIB_BEGUN_active,
          "request 1 passes for served");
}

/* A caller's process dies, and its server continues with the request. */
static void dead_caller_pays_no_longer(void)
{
    listening();
    called(0, 1);
    CHECK(world_call(1, 1, SECOND) == VLIB_BEGUN_queued, "client 1's began");
    CHECK(!vlib_call_check(&world.vd), "a living caller is given up");
    state(0, 1, VLIB_CALL_active);
    world.dom0.port[HERE(0)].state = 0;
    CHECK(vlib_call_check(&world.vd), "a dead caller is not given up");
    state(0, 1, VLIB_CALL_cancelled);
    state(1, 1, VLIB_CALL_queued); /* the server still works on the first */
    CHECK(world_listen(THERE(0), 0) == THERE(1), "the server is not told");
}

/* A port may have the same number, and lead to another port of the server. */
static void port_of_another_channel(void)
{
    listening();
    called(0, 1);
    world.dom0.port[HERE(0)].u.interdomain.remote_port = 40;
    CHECK(world_call(0, 1, SECOND) == VLIB_BEGUN_queued,
          "taken for the old channel's");
    CHECK(world_listen(THERE(0), 1) == 40, "not told of the new request");
    state(0, 1, VLIB_CALL_active);
}

/* Request 0 names the call that the server was told of, and no other. */
static void request_0_is_the_told_one(void)
{
    listening();
    CHECK(world_call(0, 1, SECOND) == VLIB_BEGUN_active,
          "request 1 did not begin");
    CHECK(world_complete(THERE(0), 0) == 0, "the server cannot complete");
    state(0, 1, VLIB_CALL_active);
    CHECK(world_listen(0, 0) == THERE(0), "the server is not told");
    CHECK(world_listen(THERE(0), 0) == CONTINUED, "LISTEN does not wait");
    state(0, 1, VLIB_CALL_done);
}

static void refused(void)
{
    listening();
    CHECK(world_call(0, 0, SECOND) == -EINVAL, "request 0 was accepted");
    CHECK(world_call(0, 1, 0) == -ERANGE, "a timeout of 0 was accepted");
    CHECK(world_cancel(0, 0) == -ESRCH && world_finish(0, 0) == -ESRCH,
          "ended calls though none was under way");
    called(0, 1);
    CHECK(!world_cancel(0, 0), "cannot cancel all of a reservation's calls");
    CHECK(!world_finish(0, 0), "cannot finish all calls given up");
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } test[] = {
#define TEST(name) { #name, name }
        TEST(fresh_call_is_served),
        TEST(repeated_call_has_its_own_deadline),
        TEST(polled_requests_are_counted),
        TEST(answered_call_is_paid_no_longer),
        TEST(late_reports_end_nothing),
        TEST(caller_waits_for_the_end),
        TEST(busy_with_abandoned_request),
        TEST(no_more_than_two_at_once),
        TEST(numbers_restart_at_one),
        TEST(port_of_another_channel),
        TEST(dead_caller_pays_no_longer),
        TEST(request_0_is_the_told_one),
        TEST(refused),
#undef TEST
    };
    unsigned int i;

    for ( i = 0; i < sizeof(test) / sizeof(*test); i++ )
        test[i].run();
    printf("calls: passed, %u histories\n", i);
    return 0;
}
