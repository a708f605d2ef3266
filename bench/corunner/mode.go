// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"time"

	"github.com/vlibos/vlibos/rtsched"
)

// Mode is a way to treat the job.
type Mode struct {
	Name  string // as in records
	Title string // as in the report
	// Runs says whether the job runs at all.
	Runs bool
	// Shared puts the job on the service's CPU instead of another.
	Shared bool
	// instead is the name of the mode that there would be without the control.
	instead string
	// control controls the job, or protects the service, until stop is
	// called. nil does nothing.
	control func(context.Context, *Machine) (stop func() error, err error)
}

// capped is the part of a CPU that the modes with control give the job, as
// their titles say.
const capped = 0.3

var reserved = rtsched.Task{ID: 1, Budget: 6 * time.Millisecond, Period: 10 * time.Millisecond}

// Modes are all modes. The first is what the others are compared with.
var Modes = []Mode{
	{Name: Alone, Title: "alone", control: lookAlone},
	{Name: Uncontrolled, Title: "job on another CPU, uncontrolled", Runs: true, control: lookUncontrolled},
	{Name: "capped", Title: "job on another CPU, capped at 30 %", Runs: true, instead: Uncontrolled, control: func(_ context.Context, h *Machine) (func() error, error) {
		stop := func() error { return h.host.Limit(h.domain(Job), 1) }
		return stop, h.host.Limit(h.domain(Job), capped)
	}},
	{Name: "rate", Title: "job on another CPU, throttled by its rate", Runs: true, instead: Uncontrolled, control: throttled("rate")},
	{Name: "threshold", Title: "job on another CPU, throttled by latency", Runs: true, instead: Uncontrolled, control: throttled("threshold")},
	{Name: "feedback", Title: "job on another CPU, throttled by feedback", Runs: true, instead: Uncontrolled, control: throttled("feedback")},
	{Name: "shared", Title: "job on the same CPU, uncontrolled", Runs: true, Shared: true},
	{Name: "reserved", Title: "job on the same CPU, service on a reservation", Runs: true, Shared: true, instead: "shared", control: func(ctx context.Context, h *Machine) (func() error, error) {
		stop := func() error { return h.host.Unreserve(context.WithoutCancel(ctx), h.domain(Service).On(reserved)) }
		return stop, h.host.Reserve(ctx, h.domain(Service).On(reserved))
	}},
}

// The names of the modes without a job, and with one that nothing controls.
const (
	Alone        = "alone"
	Uncontrolled = "uncontrolled"
)

// OtherCPU returns the modes in which the job, if any, is on another CPU.
func OtherCPU() (modes []Mode) {
	for _, m := range Modes {
		if !m.Shared {
			modes = append(modes, m)
		}
	}
	return modes
}

// Find returns the mode of a name. If no mode has it any more, the name is its title.
func Find(name string) Mode {
	for _, m := range Modes {
		if m.Name == name {
			return m
		}
	}
	return Mode{Name: name, Title: name}
}

// Title returns a mode's title.
func Title(name string) string { return Find(name).Title }
