/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs the schedules that were worked out manually, and compares. */
#include "check.h"
#include "schedules.h"
#include "simulator.h"

static char timeline[1000];
static struct {
    char who, how;
    s_time_t time;
} stretch;

static void end_stretch(void)
{
    size_t used = strlen(timeline);
    char *at = timeline + used;
    size_t left = sizeof(timeline) - used;

    if ( !stretch.time )
        return;
    if ( used )
        *at++ = ' ', left--;
    if ( stretch.how == '.' )
        snprintf(at, left, ".%.10g", stretch.time / 1e3);
    else
        snprintf(at, left, "%c%c%.10g", stretch.who, stretch.how,
                 stretch.time / 1e3);
    stretch.time = 0;
}

static void ran(const struct cpu *c, const struct vlib_entity *e,
                s_time_t from, s_time_t to)
{
    char who = e ? 'A' + (task_of(e) - sim.task) : ' ';
    char how = !e ? '.' : e->foreground ? '+' : '-';

    (void)c;
    if ( stretch.who != who || stretch.how != how )
        end_stretch();
    stretch.who = who;
    stretch.how = how;
    stretch.time += to - from;
}

static struct account *account(int n)
{
    return n == NONE ? NULL : &sim.account[sim.cpus + n];
}

static void act(const struct step *s)
{
    struct task *t = &sim.task[s->which];

    switch ( s->action )
    {
    case WAKE:
        sim_wake(t, s->first == SPIN ? VLIB_NEVER : s->first * US);
        break;
    case SLEEP:
        sim_sleep(t);
        break;
    case ATTACH:
        sim_attach(t, account(s->first));
        break;
    case YIELD:
        sim_yield(t);
        break;
    case CHARGE:
        sim_charge(account(s->which), s->first * US);
        break;
    case CHANGE:
        sim_change(account(s->which), s->first * US, s->second * US);
        break;
    case SPARE:
        sim_spare(t, s->first);
        break;
    case THROTTLE:
        sim_throttle(0, s->first * US, s->second * US);
        break;
    }
}

static void run(const struct schedule *t)
{
    unsigned int i;

    sim_init(1, t->late * US, 0);
    sim.always_late = true;
    sim.ran = ran;
    for ( i = 0; i < 3 && t->account[i].period; i++ )
        sim_admit(sim_account(t->account[i].budget * US,
                              t->account[i].period * US), 0, true);
    for ( i = 0; i < 4; i++ )
        sim_task(0, t->account[0].period ? account(t->task[i].account) : NULL,
                 t->task[i].control);
    timeline[0] = 0;
    for ( i = 0; i < t->steps; i++ )
    {
        sim_run(t->step[i].at * US);
        act(&t->step[i]);
    }
    sim_run(t->end * US);
    end_stretch();
    printf("%-62s %s\n", t->name, timeline);
    CHECK(!strcmp(timeline, t->timeline), "%s:\nis     %s\nshould %s", t->name,
          timeline, t->timeline);
    sim_finish();
}

/*
 * A task that runs, and would be chosen to, continues on another account
 * without a decision; that account's budget ends its foreground time.
 */
static void running_task_continues(void)
{
    struct account *a, *b;
    struct task *t, *other;
    uint64_t decisions;

    sim_init(1, 0, 0);
    sim_admit(a = sim_account(5000 * US, 10000 * US), 0, true);
    sim_admit(b = sim_account(1000 * US, 10000 * US), 0, true);
    t = sim_task(0, a, false);
    other = sim_task(0, NULL, false);
    sim_wake(t, VLIB_NEVER);
    sim_wake(other, VLIB_NEVER);
    sim_run(1000 * US);
    decisions = sim.decisions;
    sim_attach(t, b);
    sim_run(1999 * US);
    CHECK(sim.decisions == decisions, "%lu decisions",
          sim.decisions - decisions);
    sim_run(3000 * US);
    CHECK(a->vlib.usage.foreground == 1000 * US &&
          b->vlib.usage.foreground == 1000 * US, "%lu, %lu",
          a->vlib.usage.foreground, b->vlib.usage.foreground);
    sim_finish();
}

/* What preempts it is decided by the period of the account it continues on. */
static void continued_task_is_preempted(void)
{
    struct account *brief, *new, *other;
    struct task *t, *u;

    sim_init(1, 0, 0);
    sim_admit(brief = sim_account(500 * US, 2000 * US), 0, true);
    sim_admit(other = sim_account(500 * US, 5000 * US), 0, true);
    sim_admit(new = sim_account(2000 * US, 10000 * US), 0, true);
    t = sim_task(0, brief, false);
    u = sim_task(0, other, false);
    sim_wake(t, VLIB_NEVER);
    sim_run(100 * US);
    sim_attach(t, new);
    sim_run(200 * US);
    sim_wake(u, VLIB_NEVER);
    sim_run(300 * US);
    CHECK(sim.cpu[0].queue.running == &u->vlib, "the longer period runs");
    sim_finish();
}

int main(void)
{
    unsigned int i;

    running_task_continues();
    continued_task_is_preempted();

    for ( i = 0; i < sizeof(schedules) / sizeof(schedules[0]); i++ )
        run(&schedules[i]);
    printf("tables: passed\n");
    return 0;
}
