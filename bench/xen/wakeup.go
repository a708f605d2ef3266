// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/vlibcall"
)

// The schedulers that are compared.
const (
	schedVlib    = "vlib"
	schedCredit2 = "credit2"
	schedCredit  = "credit"
	schedRTDS    = "rtds"
	schedNull    = "null"
	schedARINC   = "arinc653"
)

// schedulers has all of them, in the order of their records.
var schedulers = []string{schedVlib, schedCredit2, schedCredit, schedRTDS, schedNull, schedARINC}

// The periodic task. A millisecond every ten is reserved for its domain, which
// uses less than half of it. The task sleeps 1 % longer than the reservation's
// period, and so wakes at each phase of it equally often. At one phase RTDS is
// late by 0.05 ms, at another by 3 ms, and which phase a boot had was chance.
const (
	taskBudget = time.Millisecond
	taskPeriod = 10 * time.Millisecond
	taskSleep  = taskPeriod + taskPeriod/100
	taskBurn   = "400000"
	taskWakes  = 2000
)

// The domains: the first runs the task, the others, if there are any, spin.
const (
	measured    = 1
	firstSpins  = 2
	secondSpins = 3
)

// beside are the domains that share the CPU of the measured one. Null gives each vCPU
// a CPU of its own.
func beside(scheduler string) []uint16 {
	if scheduler == schedNull {
		return nil
	}
	return []uint16{firstSpins, secondSpins}
}

// setting is one way to give the task's domain its share.
type setting struct {
	name  string
	apply func(ctx context.Context, b *machine) error
}

// sample returns the name of the samples of a quantile, one for each boot.
func (s setting) sample(quantile string) string { return sampleWakeup + s.name + "_" + quantile }

const uncapped = "uncapped"

var noCap = setting{uncapped, func(context.Context, *machine) error { return nil }}

// settings of each scheduler. The samples of [sampleWakeup] have their names.
var settings = map[string][]setting{
	schedVlib: {{reserved, func(_ context.Context, b *machine) error {
		return errors.Join(b.module.Reserve(paying, taskBudget, taskPeriod), b.module.Adopt(measured, paying))
	}}},
	schedCredit2: caps("sched-credit2"),
	schedCredit:  caps("sched-credit"),
	schedRTDS: {{reserved, func(ctx context.Context, _ *machine) error {
		return errors.Join(rtds(ctx, measured, taskBudget), rtds(ctx, firstSpins, 4*taskBudget), rtds(ctx, secondSpins, 4*taskBudget))
	}}},
	schedNull:  {noCap},
	schedARINC: {{reserved, arinc653}},
}

// caps are the settings of a scheduler whose domains have caps, which xl's command sets.
func caps(command string) []setting {
	set := func(ctx context.Context, domid, percent int) error {
		return xl(ctx, command, "-d", fmt.Sprint(domid), "-c", fmt.Sprint(percent))
	}
	return []setting{
		noCap,
		{"others_capped", func(ctx context.Context, _ *machine) error {
			return errors.Join(set(ctx, firstSpins, 45), set(ctx, secondSpins, 45))
		}},
		{"task_capped", func(ctx context.Context, _ *machine) error {
			return errors.Join(set(ctx, firstSpins, 0), set(ctx, secondSpins, 0), set(ctx, measured, 10))
		}},
	}
}

// rtds gives each vCPU of a domain a budget in each period of the task, and
// access to idle time.
func rtds(ctx context.Context, domid int, budget time.Duration) error {
	return xl(ctx, "sched-rtds", "-d", fmt.Sprint(domid), "-v", "all",
		"-p", fmt.Sprint(taskPeriod.Microseconds()), "-b", fmt.Sprint(budget.Microseconds()), "-e", "1")
}

func xl(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "xl", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("xl %v: %w: %s", args, err, out)
	}
	return nil
}

// wakeup measures how late a periodic task wakes beside spinning domains, with each
// setting of a scheduler.
func (b *machine) wakeup(ctx context.Context, scheduler string) (err error) {
	for _, domid := range beside(scheduler) {
		stop, err := spin(ctx, b.xen, domid)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	g, err := domu.Open(ctx, measured, vlibcall.Options{Wait: vlibcall.Block})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	for _, s := range settings[scheduler] {
		if err := s.apply(ctx, b); err != nil {
			return err
		}
		out, err := g.Run(ctx, taskProgram, "periodic", fmt.Sprint(taskWakes), fmt.Sprint(int64(taskSleep)), taskBurn)
		if err != nil {
			return err
		}
		late := make([]float64, len(quantiles))
		if _, err := fmt.Sscan(string(out), &late[0], &late[1], &late[2], &late[3]); err != nil {
			return fmt.Errorf("the task's output %q: %w", out, err)
		}
		for i, q := range quantiles {
			b.Samples[s.sample(q)] = []float64{late[i]}
		}
	}
	return nil
}

// quantiles are those that the task prints.
var quantiles = []string{"p50", "p99", "p999", "max"}
