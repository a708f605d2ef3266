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

int main(void)
{
    unsigned int i;

    for ( i = 0; i < sizeof(schedules) / sizeof(schedules[0]); i++ )
        run(&schedules[i]);
    printf("tables: passed\n");
    return 0;
}
