/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Schedules worked out manually. A timeline has an item for each span: the
 * task's letter, '+' in the foreground or '-' in the background, and the time
 * in us; '.' is idle. CPU 0 only. Task n has the nth letter; account n is
 * admitted.
 */
#ifndef VLIB_SCHEDULES_H
#define VLIB_SCHEDULES_H

#include "platform.h"

#define US 1000LL
#define SPIN (VLIB_NEVER / US)
#define NONE (-1)

enum action {
    WAKE, SLEEP, YIELD, ATTACH, CHANGE, CHARGE, THROTTLE, SPARE
};

struct step {
    s_time_t at;
    enum action action;
    int which;                  /* task; of CHANGE, CHARGE: account */
    /* work; account; C, T; time; period, idle; bool */
    s_time_t first, second;
};

struct schedule {
    const char *name;
    s_time_t late;
    struct {
        s_time_t budget, period;
    } account[3];
    struct {
        int account;
        bool control;
    } task[4];
    struct step step[8];
    unsigned int steps;
    s_time_t end;
    const char *timeline;
};

#define STEPS(...)                                              \
    .step = { __VA_ARGS__ },                                    \
    .steps = sizeof((struct step[]){ __VA_ARGS__ }) / sizeof(struct step)

static const struct schedule schedules[] = {
    {
        .name = "a shorter period preempts",
        .account = { { 2000, 10000 }, { 5000, 20000 } },
        .task = { { 0, false }, { 1, false } },
        STEPS({ 0, WAKE, 1, 4000, 0 }, { 1000, WAKE, 0, 2000, 0 }),
        .end = 10000,
        .timeline = "B+1000 A+2000 B+3000 .4000",
    },
    {
        .name = "three reservations, all released at once",
        .account = { { 1000, 4000 }, { 2000, 6000 }, { 3000, 12000 } },
        .task = { { 0, false }, { 1, false }, { 2, false } },
        STEPS({ 0, WAKE, 2, SPIN, 0 }, { 0, WAKE, 1, SPIN, 0 },
              { 0, WAKE, 0, SPIN, 0 }),
        .end = 12000,
        .timeline = "A+1000 B+2000 C+1000 A+1000 C+1000 B+2000 A+1000 C+1000 "
                    "C-2000",
    },
    {
        .name = "depleted to the background, back on its refill",
        .account = { { 2000, 10000 } },
        .task = { { 0, false }, { NONE, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 0, WAKE, 1, SPIN, 0 }),
        .end = 24000,
        .timeline = "A+2000 A-2000 B-2000 A-2000 B-2000 A+2000 A-2000 B-2000 "
                    "A-2000 B-2000 A+2000 A-2000",
    },
    {
        .name = "a sleeper has what it did not use, from when it wakes",
        .account = { { 2000, 10000 } },
        .task = { { 0, false } },
        STEPS({ 0, WAKE, 0, 1000, 0 }, { 5000, WAKE, 0, SPIN, 0 }),
        .end = 17000,
        .timeline = "A+1000 .4000 A+1000 A-4000 A+1000 A-4000 A+1000 A-1000",
    },
    {
        .name = "an overrun is carried",
        .late = 50,
        .account = { { 2000, 10000 } },
        .task = { { 0, false }, { NONE, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 100, WAKE, 1, 1, 0 }),
        .end = 40000,
        .timeline = "A+2050 A-2050 B-1 A-5949 A+2000 A-8000 A+2000 A-8000 "
                    "A+2000 A-7950",
    },
    {
        .name = "denied phases",
        .task = { { NONE, false } },
        STEPS({ 0, THROTTLE, 0, 10000, 3000 }, { 0, WAKE, 0, SPIN, 0 },
              { 25000, THROTTLE, 0, 0, 0 }, { 27000, THROTTLE, 0, 8000, 8000 }),
        .end = 40000,
        .timeline = ".3000 A-7000 .3000 A-7000 .3000 A-4000 .13000",
    },
    {
        .name = "neither foreground nor control domains are denied",
        .account = { { 2000, 10000 } },
        .task = { { 0, false }, { NONE, true }, { NONE, false } },
        STEPS({ 0, THROTTLE, 0, 10000, 6000 }, { 0, WAKE, 0, SPIN, 0 },
              { 0, WAKE, 2, SPIN, 0 }, { 1000, WAKE, 1, 3000, 0 }),
        .end = 14000,
        .timeline = "A+2000 B+1000 B-2000 .1000 A-2000 C-2000 A+2000 .2000",
    },
    {
        .name = "a spared vCPU has all time that is denied to the others",
        .task = { { NONE, false }, { NONE, false } },
        STEPS({ 0, THROTTLE, 0, 10000, 6000 }, { 0, SPARE, 0, true, 0 },
              { 0, WAKE, 0, SPIN, 0 }, { 0, WAKE, 1, SPIN, 0 }),
        .end = 20000,
        .timeline = "A-6000 B-4000 A-6000 B-4000",
    },
    {
        .name = "sparing a vCPU, or not any more, takes effect at once",
        .task = { { NONE, false } },
        STEPS({ 0, THROTTLE, 0, 10000, 6000 }, { 0, SPARE, 0, true, 0 },
              { 0, WAKE, 0, SPIN, 0 }, { 2000, SPARE, 0, false, 0 },
              { 5000, SPARE, 0, true, 0 }),
        .end = 12000,
        .timeline = "A-2000 .3000 A-7000",
    },
    {
        .name = "three share the background",
        .task = { { NONE, false }, { NONE, false }, { NONE, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 0, WAKE, 1, SPIN, 0 },
              { 0, WAKE, 2, SPIN, 0 }),
        .end = 12000,
        .timeline = "A-2000 B-2000 C-2000 A-2000 B-2000 C-2000",
    },
    {
        .name = "a vCPU that ran alone gets a slice when another one comes",
        .task = { { NONE, false }, { NONE, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 50, WAKE, 1, SPIN, 0 }),
        .end = 6050,
        .timeline = "A-2050 B-2000 A-2000",
    },
    {
        .name = "a vCPU that yields lets the others go first",
        .task = { { NONE, false }, { NONE, false } },
        STEPS({ 0, WAKE, 1, SPIN, 0 }, { 0, WAKE, 0, SPIN, 0 },
              { 2500, YIELD, 0, 0, 0 }),
        .end = 7000,
        .timeline = "B-2000 A-500 B-2000 A-2000 B-500",
    },
    {
        .name = "an account is charged for time elsewhere while it sleeps",
        .account = { { 2000, 10000 } },
        .task = { { 0, false } },
        STEPS({ 25000, CHARGE, 0, 1000, 0 }, { 26000, WAKE, 0, SPIN, 0 }),
        .end = 37000,
        .timeline = ".26000 A+1000 A-7000 A+1000 A-1000 A+1000",
    },
    {
        .name = "an account is charged for time elsewhere while it runs",
        .account = { { 2000, 10000 } },
        .task = { { 0, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 500, CHARGE, 0, 1000, 0 },
              { 7000, CHARGE, 0, 5000, 0 }),
        .end = 44000,
        .timeline = "A+1000 A-29000 A+1000 A-9000 A+2000 A-2000",
    },
    {
        .name = "background time without competition is no debt",
        .task = { { NONE, false }, { NONE, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 1000000, WAKE, 1, SPIN, 0 }),
        .end = 1006000,
        .timeline = "A-1002000 B-2000 A-2000",
    },
    {
        .name = "a control domain has its floor beside a reservation of 95 %",
        .account = { { 9500, 10000 } },
        .task = { { 0, false }, { NONE, true } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 0, WAKE, 1, SPIN, 0 }),
        .end = 40000,
        .timeline = "A+9500 B+500 A+9500 B+500 A+9500 B+500 A+9500 B+500",
    },
    {
        .name = "control time while others are denied puts no sleeper behind",
        .task = { { NONE, true }, { NONE, false }, { NONE, false } },
        STEPS({ 0, THROTTLE, 0, 100000, 40000 }, { 0, WAKE, 0, 39000, 0 },
              { 0, WAKE, 1, SPIN, 0 }, { 44000, WAKE, 2, SPIN, 0 }),
        .end = 52000,
        .timeline = "A+1000 A-19000 A+1000 A-18000 .1000 B-6000 C-2000 B-2000 "
                    "C-2000",
    },
    {
        .name = "foreground time is no claim to background time",
        .account = { { 9000, 10000 } },
        .task = { { 0, false }, { NONE, false } },
        STEPS({ 0, WAKE, 1, SPIN, 0 }, { 20000, WAKE, 0, SPIN, 0 },
              { 29000, ATTACH, 0, NONE, 0 }),
        .end = 35000,
        .timeline = "B-20000 A+9000 B-2000 A-2000 B-2000",
    },
    {
        .name = "a refill is due while its vCPU sleeps",
        .account = { { 2000, 10000 } },
        .task = { { 0, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 3000, SLEEP, 0, 0, 0 },
              { 15000, WAKE, 0, SPIN, 0 }),
        .end = 19000,
        .timeline = "A+2000 A-1000 .12000 A+2000 A-2000",
    },
    {
        .name = "a refill is due after its vCPU has left the reservation",
        .account = { { 2000, 10000 } },
        .task = { { 0, false }, { NONE, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 0, WAKE, 1, SPIN, 0 },
              { 5000, ATTACH, 0, NONE, 0 }, { 13000, ATTACH, 0, 0, 0 }),
        .end = 16000,
        .timeline = "A+2000 A-2000 B-3000 A-2000 B-2000 A-2000 A+2000 B-1000",
    },
    {
        .name = "a change while depleted loses no refill",
        .account = { { 2000, 10000 } },
        .task = { { 0, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 3000, CHANGE, 0, 1000, 10000 },
              { 4000, CHANGE, 0, 2000, 10000 }),
        .end = 26000,
        .timeline = "A+2000 A-8000 A+1000 A-3000 A+1000 A-5000 A+1000 A-3000 "
                    "A+1000 A-1000",
    },
    {
        .name = "a change while depleted grants none early",
        .account = { { 2000, 10000 } },
        .task = { { 0, false } },
        STEPS({ 0, WAKE, 0, SPIN, 0 }, { 3000, CHANGE, 0, 200, 1000 },
              { 3000, CHANGE, 0, 2000, 10000 }),
        .end = 16000,
        .timeline = "A+2000 A-2000 A+200 A-8800 A+2000 A-1000",
    },
};

#endif /* VLIB_SCHEDULES_H */
