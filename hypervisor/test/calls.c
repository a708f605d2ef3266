/* SPDX-License-Identifier: GPL-2.0-only */
/* What must hold of calls, one history each. */
#include "check.h"
#include "world.h"

#define MS 1000000LL

/* The server listens, with nothing to do. */
static void listening(void)
{
    world_init();
    CHECK(world_listen(0, 0) == CONTINUED, "it is not closed");
    CHECK(!world.vd.open, "its gate is open");
}

/* A client calls a server that listens, which is told. */
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
 * Request 2 was given up while it was queued; the server finds it all the same,
 * and is about to listen when request 3 begins.
 */
static void fresh_call_is_served(void)
{
    listening();
    called(1, 1);
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "it began");
    CHECK(!world_cancel(0, 2), "not cancelled");
    CHECK(!world_complete(THERE(1), 1), "not completed");
    CHECK(world_call(0, 3, SECOND) == VLIB_BEGUN_active, "not free");
    CHECK(world_listen(THERE(0), 2) == THERE(0), "it is not told of 3");
    state(0, 3, VLIB_CALL_active);
    CHECK(world_listen(THERE(0), 3) == CONTINUED, "not closed");
    state(0, 3, VLIB_CALL_done);
}

static void repeated_call_has_its_own_deadline(void)
{
    listening();
    CHECK(world_call(0, 1, 10 * MS) == VLIB_BEGUN_active, "not begun");
    CHECK(world_resume() == THERE(0), "not told");
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "begun");
    world_run(20 * MS);
    state(0, 1, VLIB_CALL_timeout);
    state(0, 2, VLIB_CALL_queued);
    CHECK(world_listen(THERE(0), 1) == THERE(0), "it is not told of 2");
    state(0, 2, VLIB_CALL_active);
    world_run(900 * MS);
    state(0, 2, VLIB_CALL_active);
    world_run(100 * MS);
    state(0, 2, VLIB_CALL_timeout);
}

/* Two requests are found by polling before the server listens. */
static void polled_requests_are_counted(void)
{
    listening();
    called(0, 1);
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "begun");
    CHECK(world_call(0, 3, SECOND) == VLIB_BEGUN_queued, "begun");
    CHECK(world_listen(THERE(0), 3) == CONTINUED, "told of what is served");
    CHECK(world.r[0].count == 3, "%lu are counted", world.r[0].count);
    CHECK(world.vd.calls == 3, "%lu are done", world.vd.calls);
    /* And one that was served before it was called. */
    CHECK(world_call(0, 4, SECOND) == VLIB_BEGUN_active, "not begun");
    CHECK(world_resume() == THERE(0), "not told");
    CHECK(world_listen(THERE(0), 5) == CONTINUED, "not closed");
    CHECK(world_call(0, 5, SECOND) == VLIB_BEGUN_served, "begun");
    CHECK(!world.vd.open, "the gate is open for it");
    CHECK(world.r[0].count == 5 && world.vd.calls == 5, "%lu, %lu",
          world.r[0].count, world.vd.calls);
}

static void answered_call_is_paid_no_longer(void)
{
    listening();
    called(0, 1);
    world_run(3 * MS);
    CHECK(!world_finish(0, 1), "not finished");
    state(0, 1, VLIB_CALL_done);
    world_run(SECOND);
    CHECK(world.r[0].account.usage.foreground == 3 * MS, "it paid %lu",
          world.r[0].account.usage.foreground);
    CHECK(world_finish(0, 1) == -ESRCH, "finished twice");
    /* The next one begins, and the server, which does not listen, is told. */
    world.guest.pending[THERE(0)] = false;
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_active, "not begun");
    CHECK(world.guest.pending[THERE(0)], "no event");
}

/* What a client ends, or gives up, is its request and no other. */
static void late_words_end_nothing(void)
{
    listening();
    called(0, 1);
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "begun");
    CHECK(!world_finish(0, 1), "not finished");
    state(0, 2, VLIB_CALL_active);
    CHECK(world_finish(0, 1) == -ESRCH, "finished twice");
    CHECK(world_cancel(0, 1) == -ESRCH, "cancelled");
    CHECK(world_cancel(1, 2) == -ESRCH, "another's cancelled");
    state(0, 2, VLIB_CALL_active);
}

static void busy_with_what_was_given_up(void)
{
    listening();
    called(0, 1);
    CHECK(!world_cancel(0, 1), "not cancelled");
    CHECK(world_call(1, 1, SECOND) == VLIB_BEGUN_queued, "it began");
    CHECK(world_finish(1, 1) == 0, "another's request");
    CHECK(world_call(1, 2, SECOND) == VLIB_BEGUN_queued, "it began");
    CHECK(!world_finish(0, 1), "its late answer");
    state(1, 2, VLIB_CALL_active);
}

static void no_more_than_two_at_once(void)
{
    listening();
    called(0, 1);
    CHECK(world_call(0, 2, SECOND) == VLIB_BEGUN_queued, "begun");
    /* Another channel of the same reservation: */
    world.dom0.port[20] = world.dom0.port[HERE(0)];
    world.dom0.port[20].u.interdomain.remote_port = 30;
    current_domain = &world.dom0;
    CHECK(vlib_call(DOMAIN, 20, 1, SECOND, 1) == -EBUSY, "a third");
    CHECK(!world_finish(0, 2), "not finished");
    CHECK(vlib_call(DOMAIN, 20, 1, SECOND, 1) == VLIB_BEGUN_active, "busy");
    CHECK(world_call(0, 3, SECOND) == VLIB_BEGUN_queued, "no place");
}

/* A port that is another channel's now begins with 1 again. */
static void numbers_begin_anew(void)
{
    listening();
    called(0, 7);
    CHECK(world_call(0, 1, SECOND) == VLIB_BEGUN_queued, "refused");
    CHECK(world_state(0, 7) != VLIB_CALL_active, "the old one pays");
    CHECK(world_listen(THERE(0), 0) == THERE(0), "it is not told of 1");
    state(0, 1, VLIB_CALL_active);
    CHECK(world_listen(THERE(0), 1) == CONTINUED, "not closed");
    /* What was found at the port before was not its first request. */
    CHECK(world_listen(THERE(0), 1) == CONTINUED, "not closed");
    CHECK(world_call(0, 1, SECOND) == VLIB_BEGUN_active, "taken for served");
}

/* A caller's process dies, and the server does not care. */
static void dead_caller_pays_no_longer(void)
{
    listening();
    called(0, 1);
    CHECK(world_call(1, 1, SECOND) == VLIB_BEGUN_queued, "begun");
    CHECK(!vlib_call_check(&world.vd), "it is alive");
    state(0, 1, VLIB_CALL_active);
    world.dom0.port[HERE(0)].state = 0;
    CHECK(vlib_call_check(&world.vd), "it is dead");
    state(0, 1, VLIB_CALL_cancelled);
    state(1, 1, VLIB_CALL_queued); /* the server is still at the first */
    CHECK(world_listen(THERE(0), 0) == THERE(1), "it is not told");
}

/* And so it may where the number is the same: the server's end is another. */
static void another_channel_has_the_port(void)
{
    listening();
    called(0, 1);
    world.dom0.port[HERE(0)].u.interdomain.remote_port = 40;
    CHECK(world_call(0, 1, SECOND) == VLIB_BEGUN_queued, "taken for the old");
    CHECK(world_listen(THERE(0), 1) == 40, "it is not told of the new");
    state(0, 1, VLIB_CALL_active);
}

/* 0 names the call that the server was told of, and none that it was not. */
static void told_and_not_told(void)
{
    listening();
    CHECK(world_call(0, 1, SECOND) == VLIB_BEGUN_active, "not begun");
    CHECK(world_complete(THERE(0), 0) == 0, "refused");
    state(0, 1, VLIB_CALL_active);
    CHECK(world_listen(0, 0) == THERE(0), "not told");
    CHECK(world_listen(THERE(0), 0) == CONTINUED, "not closed");
    state(0, 1, VLIB_CALL_done);
}

static void refused(void)
{
    listening();
    CHECK(world_call(0, 0, SECOND) == -EINVAL, "request 0");
    CHECK(world_call(0, 1, 0) == -ERANGE, "no time");
    CHECK(world_cancel(0, 0) == -ESRCH && world_finish(0, 0) == -ESRCH,
          "nothing was under way");
    called(0, 1);
    CHECK(!world_cancel(0, 0), "all of a reservation's");
    CHECK(!world_finish(0, 0), "all that was given up");
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
        TEST(late_words_end_nothing),
        TEST(busy_with_what_was_given_up),
        TEST(no_more_than_two_at_once),
        TEST(numbers_begin_anew),
        TEST(another_channel_has_the_port),
        TEST(dead_caller_pays_no_longer),
        TEST(told_and_not_told),
        TEST(refused),
#undef TEST
    };
    unsigned int i;

    for ( i = 0; i < sizeof(test) / sizeof(*test); i++ )
        test[i].run();
    printf("calls: passed, %u histories\n", i);
    return 0;
}
