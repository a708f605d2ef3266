// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/throttle"
)

// The domains of an experiment.
const (
	Service = "service"
	Job     = "job"
)

// Machine is this machine, with the domains of one experiment.
type Machine struct {
	host     *native.Host
	parent   string
	added    []string
	job      *Runner
	stop     func() error     // ends the mode's control
	loop     *throttling.Loop // of the mode, if it throttles
	source   throttle.Source
	levels   levels
	policies map[string]*resumed           // policies, by mode
	late     []*lateness                   // of both CPUs
	idler    *counting                     // a process that does nothing
	notes    map[string]map[string]float64 // raw numbers of the throttle, by mode
	// ServiceCPU runs the service, OtherCPU the job.
	ServiceCPU, OtherCPU int
	// LoadCPU runs the measuring thread. It is a third CPU if there is one,
	// else OtherCPU, where a real-time policy gives the thread precedence
	// over the job.
	LoadCPU int
	// Felt is the path of a file in which the service records its users'
	// latencies ([throttle/requestlatency]); "" if it records none. It may be
	// set before the first mode.
	Felt string
}

// Guard is the argument that makes a program call [native.Guard]; the cgroup
// follows it. The guard thaws throttled domains if the experiment dies.
const Guard = "guard"

// Idle is the argument of a process that does nothing until its input ends, and its
// domain.
const Idle = "idle"

// Open takes the machine's first CPUs. The domains are below a cgroup of their
// own, which a daemon on this machine does not see. self starts this program as
// the [Guard]. Errors wrap [host.ErrNotHere] and [host.ErrNotAllowed].
func Open(self func(args ...string) *exec.Cmd) (_ *Machine, err error) {
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0))) // the native host requires it
	h := &Machine{parent: fmt.Sprintf("vlibos-bench-%d", os.Getpid()), notes: make(map[string]map[string]float64), policies: make(map[string]*resumed)}
	// The throttle stops domains with the freezer, which in version 2 takes a
	// tenth of the time.
	h.host, err = native.Open(native.Options{Parent: h.parent, Version: 2, Guard: self(Guard, h.parent).Args})
	if err != nil {
		return nil, err
	}
	cpus, err := h.host.CPUs()
	if err == nil && len(cpus) < 2 {
		err = fmt.Errorf("%w: this experiment needs two CPUs, one for the service and one for the job", host.ErrNotHere)
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	h.ServiceCPU, h.OtherCPU = cpus[0], cpus[1]
	h.LoadCPU = cpus[min(2, len(cpus)-1)]
	if h.source, err = h.openSource(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	if err := h.addIdle(self); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	for _, cpu := range []int{h.ServiceCPU, h.OtherCPU} {
		l, err := startLateness(cpu, self)
		if err != nil {
			return nil, errors.Join(err, h.Close())
		}
		h.late = append(h.late, l)
	}
	return h, nil
}

// addIdle puts a process that does nothing on a reservation, in all modes. Where any
// domain is on one, the native host makes the parent of all of them heavy, so that
// they go before other programs. Without it the modes that need a reservation would
// have that advantage over the others.
func (h *Machine) addIdle(self func(args ...string) *exec.Cmd) (err error) {
	if h.idler, err = startCounting(self(Idle), (*exec.Cmd).Start); err != nil {
		return err
	}
	ctx := context.Background()
	if err := h.Add(ctx, Idle, h.idler.cmd.Process, h.ServiceCPU); err != nil {
		return err
	}
	return h.host.Reserve(ctx, h.domain(Idle).On(idling))
}

func (h *Machine) domain(name string) host.Domain {
	return host.Domain{ID: name, UUID: name, Name: name}
}

// Add makes a started process a domain on one CPU.
func (h *Machine) Add(ctx context.Context, name string, process *os.Process, cpu int) error {
	if err := h.host.Create(name, process.Pid); err != nil {
		return err
	}
	h.added = append(h.added, name)
	return h.host.Pin(ctx, name, []int{cpu})
}

// SetJob starts a job's process as a domain. When it returns, the job is
// prepared and waits for the first mode that lets it run.
func (h *Machine) SetJob(ctx context.Context, job string, self func(args ...string) *exec.Cmd) error {
	if err := h.EndJob(ctx); err != nil {
		return err
	}
	r, err := start(job, self)
	if err != nil {
		return err
	}
	h.job, h.levels = r, levels{}
	clear(h.notes)
	clear(h.policies)
	if err := h.Add(ctx, Job, r.cmd.Process, h.OtherCPU); err != nil {
		return err
	}
	if err := r.prepared(ctx); err != nil {
		return err
	}
	if err := h.rest(ctx, true); err != nil {
		return err
	}
	return r.begin()
}

// rest stops the job at once, or lets it continue.
func (h *Machine) rest(ctx context.Context, on bool) error {
	if err := h.renew(); err != nil {
		return err
	}
	return h.host.Gate(ctx, h.domain(Job), on)
}

// EndJob ends the job, if one was set.
func (h *Machine) EndJob(ctx context.Context) error {
	if h.job == nil {
		return nil
	}
	err := errors.Join(h.free(), h.rest(ctx, false), h.job.close())
	h.job = nil
	return errors.Join(err, h.remove(ctx, Job))
}

// Set ends the previous mode and begins m. Measure after [Settle].
func (h *Machine) Set(ctx context.Context, m Mode) (err error) {
	if err := h.free(); err != nil {
		return err
	}
	cpu := h.OtherCPU
	if m.Shared {
		cpu = h.ServiceCPU
	}
	if err := h.host.Pin(ctx, Job, []int{cpu}); err != nil {
		return err
	}
	if err := h.rest(ctx, !m.Runs); err != nil {
		return err
	}
	if m.control != nil {
		h.stop, err = m.control(ctx, h)
	}
	return err
}

// free ends the mode's control.
func (h *Machine) free() error {
	if h.stop == nil {
		return nil
	}
	err := h.stop()
	h.stop, h.loop = nil, nil
	return err
}

func (h *Machine) remove(ctx context.Context, name string) error {
	for i, a := range h.added {
		if a == name {
			h.added = append(h.added[:i], h.added[i+1:]...)
			return h.host.Remove(ctx, name)
		}
	}
	return nil
}

// Close ends the job and removes all domains. The caller ends other processes
// in them before.
func (h *Machine) Close() error {
	ctx := context.Background() // cleaning up also after an interrupt
	err := h.EndJob(ctx)
	if h.idler != nil {
		err = errors.Join(err, h.idler.close())
	}
	for len(h.added) > 0 {
		err = errors.Join(err, h.remove(ctx, h.added[0]))
	}
	for _, l := range h.late {
		err = errors.Join(err, l.close())
	}
	if h.source != nil {
		err = errors.Join(err, h.source.Close())
	}
	return errors.Join(err, h.host.Close(), h.host.Dissolve())
}

// Realtime gives the calling thread, which must be locked, precedence on its
// CPU (SCHED_FIFO), and locks its process in memory. It is an error if that is
// not permitted: the result would be a measurement of the scheduler.
func Realtime() error {
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 50, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return fmt.Errorf("%w: SCHED_FIFO: %w: run as root", host.ErrNotAllowed, err)
	}
	if err := unix.Mlockall(unix.MCL_CURRENT); err != nil {
		return os.NewSyscallError("mlockall", err)
	}
	return nil
}
