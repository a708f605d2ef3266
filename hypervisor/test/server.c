/* SPDX-License-Identifier: GPL-2.0-only */
/* The sporadic server by itself: how much it gives, and when. */
#include "check.h"
#include "seed.h"
#include "server.h"

#define MS 1000000LL
#define US 1000LL
#define ROUNDS 3000
#define STEPS 200
#define SPANS 1024

static struct vlib_server server;

static void show(void)
{
    unsigned int i;

    fprintf(stderr, "C %ld T %ld:", server.budget, server.period);
    for ( i = 0; i < server.count; i++ )
    {
        const struct vlib_refill *r =
            &server.refill[(server.head + i) % VLIB_REFILLS];

        fprintf(stderr, " %ld@%ld", r->amount, r->at);
    }
    fprintf(stderr, "\n");
}

static void valid(void)
{
    s_time_t sum = 0, last = INT64_MIN;
    unsigned int i;

    CHECK(server.count >= 1 && server.count <= VLIB_REFILLS, "%u refills",
          server.count);
    for ( i = 0; i < server.count; i++ )
    {
        const struct vlib_refill *r =
            &server.refill[(server.head + i) % VLIB_REFILLS];

        CHECK(r->amount > 0 && r->at > last, "refill %u", i);
        sum += r->amount;
        last = r->at;
    }
    CHECK(sum == server.budget, "the amounts add up to %ld", sum);
}

/* Past use: no window of one period may see more than C and overruns. */
static struct {
    s_time_t from, to;
} span[SPANS];
static unsigned int spans;

static void use(s_time_t from, s_time_t used, s_time_t overrun)
{
    s_time_t sum = 0, to = from + used;
    unsigned int i;

    CHECK(spans < SPANS, "too many spans");
    span[spans].from = from;
    span[spans++].to = to;
    for ( i = 0; i < spans; i++ )
        sum += max(span[i].to - max(span[i].from, to - server.period),
                   (s_time_t)0);
    CHECK(sum <= server.budget + overrun, "%ld in the period up to %ld", sum,
          to);
    vlib_server_charge(&server, used);
    valid();
}

/* Runs whenever it has budget and is ready; each time up to 'over' too long. */
static void random_use(struct seed *s, s_time_t over)
{
    s_time_t now = seed_range(s, 0, MS), overrun = 0;
    s_time_t period = seed_range(s, 1000, 10 * MS), left, used;
    unsigned int i;

    vlib_server_init(&server, seed_range(s, 100, period / 2), period, now);
    spans = 0;
    for ( i = 0; i < STEPS; i++ )
    {
        if ( seed_chance(s, 50) )
        {
            now += seed_range(s, 0, seed_chance(s, 50) ? period / 9 : period);
            vlib_server_wake(&server, now);
            valid();
        }
        left = vlib_server_left(&server, now);
        if ( left <= 0 )
        {
            CHECK(vlib_server_next(&server) > now, "there is no later refill");
            now = vlib_server_next(&server);
            continue;
        }
        used = seed_chance(s, 50) ? left : seed_range(s, 1, left);
        if ( used == left && over )
        {
            s_time_t o = seed_range(s, 0, over);

            overrun = max(overrun, o);
            used += o;
        }
        /* Twice: one carried into the window, one at its end. */
        use(now, used, 2 * overrun);
        now += used;
    }
}

/*
 * Always runs while it has budget, plus overruns; returns its share in 1/1e9.
 */
static int64_t backlogged(s_time_t budget, s_time_t period, s_time_t over,
                          unsigned int periods)
{
    s_time_t now = 0, sum = 0;

    vlib_server_init(&server, budget, period, 0);
    while ( now < periods * period )
    {
        s_time_t used = vlib_server_left(&server, now) + over;

        if ( used <= over )
        {
            now = vlib_server_next(&server);
            continue;
        }
        vlib_server_charge(&server, used);
        valid();
        now += used;
        sum += used;
    }
    CHECK(sum >= periods * budget && sum <= periods * budget + over,
          "%ld of %ld", sum, periods * budget);
    return sum * 1000000000LL / (periods * period);
}

static void exact_share(void)
{
    int64_t share = backlogged(2 * MS, 10 * MS, 50 * US, 1000);

    CHECK(share / 100000 == 2000, "%ld, not 20.00 %%", share);
    backlogged(2 * MS, 10 * MS, 0, 1000);
    backlogged(20 * US, 200 * US, 49 * US, 10000);
    backlogged(10 * MS, 10 * MS, 0, 100);
    backlogged(7, 1000, 6, 10000);
}

/* A full list joins neighbours at the later time; the first is left alone. */
static void full_list(void)
{
    unsigned int i;

    vlib_server_init(&server, 1000, 100000, 0);
    for ( i = 0; i < 3 * VLIB_REFILLS; i++ )
    {
        s_time_t now = 10 * (i + 1), left = vlib_server_left(&server, now), t;

        vlib_server_wake(&server, now);
        vlib_server_charge(&server, 1);
        valid();
        CHECK(vlib_server_left(&server, now) == left - 1,
              "budget in use was delayed");
        /* Nothing comes back earlier than one period after its use. */
        for ( t = 1; t <= i + 1; t++ )
            CHECK(vlib_server_left(&server, 100000 + 10 * t - 1) <=
                  1000 - (i + 1) + t - 1, "a refill comes early");
    }
    CHECK(server.count == VLIB_REFILLS, "%u refills", server.count);
    CHECK(vlib_server_left(&server, 100000 + 10 * i) == 1000,
          "a refill comes late");
}

/*
 * All of the budget is demanded evenly, in small pieces. Returns how much of
 * it was there in time, in per cent.
 */
static int64_t in_pieces(s_time_t budget, s_time_t period, s_time_t piece)
{
    s_time_t every = period * piece / budget, now, sum = 0, end = 50 * period;

    vlib_server_init(&server, budget, period, 0);
    for ( now = 0; now < end; now += every )
    {
        s_time_t used = min(piece, vlib_server_left(&server, now));

        vlib_server_wake(&server, now);
        vlib_server_charge(&server, used);
        valid();
        sum += used;
    }
    return sum * 100 / (end / period * budget);
}

static void small_pieces(void)
{
    static const struct {
        s_time_t budget, period;
    } sizes[] = { { 100 * US, 10 * MS }, { MS, 100 * MS }, { 2 * MS, 20 * MS },
                  { 10 * MS, 1000 * MS }, { 100 * MS, 10000 * MS } };
    unsigned int i;

    for ( i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++ )
    {
        int64_t share = in_pieces(sizes[i].budget, sizes[i].period, 10 * US);

        CHECK(share >= 95, "%ld %% of %ld ns every %ld ns in pieces of 10 us",
              share, sizes[i].budget, sizes[i].period);
    }
}

/* Use at once or in small pieces makes the same debt. */
static void huge_charge(void)
{
    static const s_time_t charges[] = { 1, 999, 1000, 1001, 5500, 123456789,
                                        100000000000000LL };
    unsigned int i;

    for ( i = 0; i < sizeof(charges) / sizeof(charges[0]); i++ )
    {
        s_time_t used = charges[i], periods = used / 1000, rest = used % 1000;

        vlib_server_init(&server, 1000, 10000, 0);
        vlib_server_charge(&server, used);
        valid();
        CHECK(vlib_server_left(&server, periods * 10000) == 1000 - rest,
              "after %ld", used);
        CHECK(vlib_server_left(&server, (periods + 1) * 10000 - 1) ==
              1000 - rest, "after %ld", used);
        CHECK(vlib_server_left(&server, (periods + 1) * 10000) == 1000,
              "after %ld", used);
    }
}

static void random_changes(struct seed *s)
{
    s_time_t now = 0, period = seed_range(s, 1000, MS);
    unsigned int i;

    vlib_server_init(&server, seed_range(s, 100, period), period, now);
    for ( i = 0; i < STEPS; i++ )
    {
        struct vlib_server old;
        s_time_t t, budget;
        bool was_full;

        now += seed_range(s, 0, period / 2);
        vlib_server_charge(&server, seed_range(s, 0, 2 * server.budget));
        valid();
        old = server;
        was_full = vlib_server_left(&old, now) == old.budget;
        period = seed_chance(s, 50) ? period : seed_range(s, 1000, MS);
        budget = seed_range(s, 100, period);
        vlib_server_change(&server, budget, period, now);
        valid();
        CHECK(server.budget == budget && server.period == period,
              "the change is forgotten");
        CHECK(vlib_server_left(&server, now + period) == budget,
              "a refill is lost");
        if ( was_full )
            continue;
        for ( t = 0; t < period; t += max(period / 16, (s_time_t)1) )
            CHECK(vlib_server_left(&server, now + t) <=
                  vlib_server_left(&old, now + t), "early by change %u", i);
    }
}

/* Two opposite changes while depleted: the refill comes when it was due. */
static void toggled(void)
{
    vlib_server_init(&server, 2 * MS, 10 * MS, 0);
    vlib_server_charge(&server, 2 * MS);
    vlib_server_change(&server, MS, 20 * MS, 3 * MS);
    vlib_server_change(&server, 2 * MS, 10 * MS, 3 * MS);
    CHECK(vlib_server_left(&server, 10 * MS - 1) == 0, "a refill comes early");
    CHECK(vlib_server_left(&server, 10 * MS) == MS, "a refill is lost");
    CHECK(vlib_server_left(&server, 13 * MS) == 2 * MS, "a refill is lost");
    vlib_server_change(&server, 2 * MS, 10 * MS, 3 * MS);
    CHECK(vlib_server_left(&server, 13 * MS - 1) == 0, "a refill comes early");
    CHECK(vlib_server_left(&server, 13 * MS) == 2 * MS, "a refill is lost");
}

static void wake_any_time(struct seed *s)
{
    s_time_t now = 100;
    unsigned int i;

    vlib_server_init(&server, 1000, 10000, now);
    for ( i = 0; i < STEPS; i++ )
    {
        s_time_t at = now + seed_range(s, -30000, 30000), left;

        left = vlib_server_left(&server, at);
        vlib_server_wake(&server, at);
        valid();
        CHECK(vlib_server_left(&server, at) == left,
              "changed by waking at %ld", at);
        CHECK(!left || vlib_server_next(&server) >= at,
              "a refill is in the past");
        vlib_server_charge(&server, seed_range(s, 0, 1100));
        now += seed_range(s, 0, 3000);
    }
}

int main(int argc, char **argv)
{
    struct seed s;
    uint64_t only = check_argument(argc, argv), i;

    check_show = show;
    exact_share();
    full_list();
    small_pieces();
    huge_charge();
    toggled();
    for ( i = only ?: 1; i <= (only ?: ROUNDS); i++ )
    {
        check_seed = s.state = i;
        random_use(&s, i % 3 ? 50 : 0);
        random_changes(&s);
        wake_any_time(&s);
    }
    printf("server: passed\n");
    return 0;
}
