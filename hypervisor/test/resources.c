/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cache and memory bandwidth, in the whole module: what a call's domain used,
 * and a class that follows the call.
 */
#include "check.h"
#include "fakepsr.h"
#include "machine.h"

#define MS 1000000LL
#define VERSION .version = VLIB_ABI_VERSION
#define BOTH (VLIB_MEMORY_occupied | VLIB_MEMORY_moved)

/* Classes, and CPUs: the caller shares a cache with the near domain. */
enum { DOM0S = 5, NEARS, FARS, CHANGED };
enum { CALLER, NEAR_CPU, FAR_CPU };

static struct domain *dom0, *near, *far;
static uint64_t request;

static long flags(const struct domain *d, uint32_t set, uint32_t clear)
{
    struct vlib_domctl op = { VERSION, .domid = d->domain_id, .set = set,
                              .clear = clear };

    return machine_call(dom0, VLIB_OP_domain, 0, 0, &op);
}

/* A domain that parks, in a class, which reservation ID may call. */
static struct domain *make(domid_t domid, unsigned int cpu, unsigned int *class)
{
    struct domain *d = machine_domain(domid, 1, cpu, 1);
    struct vlib_reserve r = { VERSION, .id = domid, .budget = 5 * MS,
                              .period = 10 * MS, .servers = 1 };
    struct vlib_bind b = { VERSION, .id = domid, .domid = domid };

    d->arch.psr_cos_ids = class;
    CHECK(!machine_call(dom0, VLIB_OP_reserve, 0, 0, &r) &&
          !machine_call(dom0, VLIB_OP_allow, 0, 0, &b) &&
          !flags(d, VLIB_DOMAIN_parks, 0), "domain %u is not made", domid);
    machine_run(MS);
    return d;
}

static void begin(struct domain *d)
{
    long rc;

    dom0->evtchn[1] = (struct evtchn){
        .state = ECS_INTERDOMAIN, .u.interdomain = { d, 1 },
    };
    machine_call(dom0, VLIB_OP_version, 0, 0, NULL);
    rc = vlib_call(d->domain_id, 1, d->domain_id, 1000 * MS, ++request);
    CHECK(rc == VLIB_BEGUN_active, "the call does not begin: %ld", rc);
}

static void call(struct domain *d)
{
    begin(d);
    machine_run(2 * MS);
    CHECK(machine_runs(d, d->domain_id), "it does not run");
}

static struct vlib_memory state(const struct domain *d)
{
    struct vlib_reservation_info op = { VERSION, .id = d->domain_id };

    CHECK(!machine_call(dom0, VLIB_OP_get_reservation, 0, 0, &op), "no state");
    CHECK(!op.memory.pad, "padding is not 0");
    return op.memory;
}

static void finish(struct domain *d)
{
    CHECK(!vlib_finish(d->domain_id, 1, d->domain_id, request), "no call");
    machine_run(2 * MS);
}

static void used(const struct domain *d, uint32_t known, uint64_t occupied,
                 uint64_t moved)
{
    struct vlib_memory m = state(d);

    CHECK(m.known == known && m.occupied == occupied && m.moved == moved,
          "known %u, occupied %"PRIu64", moved %"PRIu64, m.known, m.occupied,
          m.moved);
}

/* The domain moves and occupies so much in a call. */
static void use_in_call(struct domain *d, uint64_t occupied, uint64_t moved)
{
    call(d);
    used(d, 0, 0, 0); /* not before its end */
    fake_monitor.moved[d->arch.psr_rmid] += moved;
    fake_monitor.occupied[d->arch.psr_rmid] = occupied;
    finish(d);
}

static void calls_say_what_they_used(void)
{
    use_in_call(near, 7, 7);
    used(near, 0, 0, 0);
    CHECK(!fake_monitor.accesses, "registers are read without psr=cmt");
    psr_cmt = &fake_cmt;
    use_in_call(near, 7, 7);
    used(near, 0, 0, 0);
    CHECK(!fake_monitor.accesses, "registers are read without an ID");
    near->arch.psr_rmid = far->arch.psr_rmid = 3;
    call(near);
    CHECK(fake_assoc[NEAR_CPU].rmid == 3, "a lone vCPU keeps its ID");
    finish(near);
    fake_monitor.accesses = 0;
    /* The counter wraps once. */
    fake_monitor.moved[3] = (1ULL << FAKE_WIDTH) - 100;
    use_in_call(near, 11, 150);
    used(near, BOTH, 11 * FAKE_UNIT, 150 * FAKE_UNIT);
    CHECK(fake_monitor.accesses == 6, "%u accesses", fake_monitor.accesses);
    /* Nothing of an earlier call is left. */
    use_in_call(near, 0, 0);
    used(near, BOTH, 0, 0);
    /* Another ID since the beginning. */
    call(near);
    near->arch.psr_rmid = 4;
    fake_monitor.occupied[4] = 2;
    finish(near);
    used(near, 0, 0, 0);
    fake_monitor.unavailable = true;
    use_in_call(near, 5, 5);
    used(near, 0, 0, 0);
    fake_monitor.unavailable = false;
    fake_cmt.l3.features = 1;
    use_in_call(near, 5, 5);
    used(near, VLIB_MEMORY_occupied, 5 * FAKE_UNIT, 0);
    fake_cmt.l3.features = 3;
    /* The caller's cache is not the domain's. */
    fake_monitor.accesses = 0;
    use_in_call(far, 5, 5);
    used(far, 0, 0, 0);
    CHECK(!fake_monitor.accesses, "another cache is read");
}

static void in_class(const struct domain *d, unsigned int class)
{
    const struct fake_assoc *a = &fake_assoc[d->domain_id];

    CHECK(machine_runs(d, d->domain_id), "it does not run");
    CHECK(a->class == class && a->rmid == d->arch.psr_rmid,
          "it runs in class %u, not %u, with ID %u", a->class, class, a->rmid);
}

static void hold(const struct domain *d, s_time_t time)
{
    CHECK(machine_call(dom0, VLIB_OP_hold, d->domain_id, 0, (void *)time) > 0,
          "no hold");
    machine_run(2 * MS);
}

static void classes_follow_calls(void)
{
    struct domain *other;

    CHECK(flags(near, VLIB_DOMAIN_follows, 0) == -ENODEV,
          "a class follows without classes");
    cpu_has_pqe = true;
    call(near);
    in_class(near, NEARS);
    CHECK(!flags(near, VLIB_DOMAIN_follows, 0), "refused");
    machine_run(MS);
    in_class(near, DOM0S); /* at once */
    finish(near);
    hold(near, 3 * MS);
    in_class(near, NEARS); /* the CPU was idle: nothing was loaded */
    begin(near);
    CHECK(machine.kicked >> NEAR_CPU & 1, "what runs keeps its class");
    machine_run(10 * MS);
    in_class(near, DOM0S);
    /* The caller's class changes: as for every domain, from the next switch. */
    *dom0->arch.psr_cos_ids = CHANGED;
    other = machine_domain(9, 1, NEAR_CPU, 1);
    machine_run(20 * MS); /* they share the background */
    CHECK(machine_runs(other, NEAR_CPU) || fake_assoc[NEAR_CPU].class ==
          CHANGED, "class %u", fake_assoc[NEAR_CPU].class);
    finish(near);
    CHECK(machine_runs(other, NEAR_CPU) && !fake_assoc[NEAR_CPU].class,
          "another domain has class %u", fake_assoc[NEAR_CPU].class);
    machine_destroy(other);
    *dom0->arch.psr_cos_ids = DOM0S;
    /* Or between two calls, to a domain that is alone and has no ID. */
    near->arch.psr_rmid = 0;
    call(near);
    in_class(near, DOM0S);
    finish(near);
    *dom0->arch.psr_cos_ids = CHANGED;
    call(near);
    in_class(near, CHANGED);
    finish(near);
    *dom0->arch.psr_cos_ids = DOM0S;
    /* No longer, during a call; and on its own CPU. */
    call(near);
    in_class(near, DOM0S);
    CHECK(!flags(near, 0, VLIB_DOMAIN_follows), "refused");
    machine_run(MS);
    in_class(near, NEARS);
    CHECK(!flags(near, VLIB_DOMAIN_follows, 0), "refused");
    machine_run(MS);
    /* A CPU that leaves the pool does not keep the class. */
    near->unit[0]->affinity.word[0] = 1U << NEAR_CPU | 1U << FAR_CPU;
    machine_remove_cpu(NEAR_CPU);
    machine_run(MS);
    fake_processor = NEAR_CPU;
    psr_ctxt_switch_to(far);
    fake_processor = 0;
    CHECK(fake_assoc[NEAR_CPU].class == FARS, "another scheduler's domain has "
          "class %u", fake_assoc[NEAR_CPU].class);
    CHECK(machine_runs(near, FAR_CPU) && fake_assoc[FAR_CPU].class == DOM0S,
          "it has class %u on another CPU", fake_assoc[FAR_CPU].class);
    machine_add_cpu(NEAR_CPU);
    /* It ends in a call. */
    machine_destroy(near);
    CHECK(!state(near = far).known, "far");
    call(far);
    in_class(far, FARS);
    finish(far);
    vlib_class_forbid();
    CHECK(flags(far, VLIB_DOMAIN_follows, 0) == -EOPNOTSUPP,
          "a class follows in a live patch");
}

int main(void)
{
    unsigned int class[] = { DOM0S, NEARS, FARS };

    machine_init(4);
    dom0 = hardware_domain;
    dom0->arch.psr_cos_ids = &class[0];
    near = make(NEAR_CPU, NEAR_CPU, &class[1]);
    far = make(FAR_CPU, FAR_CPU, &class[2]);
    calls_say_what_they_used();
    classes_follow_calls();
    printf("resources: passed\n");
    return 0;
}
