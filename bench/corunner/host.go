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
	"github.com/vlibos/vlibos/throttle"
)

// The domains of an experiment.
const (
	Service = "service"
	Job     = "job"
)

// Host is this machine with the domains of one experiment.
type Host struct {
	host   *native.Host
	parent string
	added  []string
	job    *Runner
	stop   func() error // of the mode's control
	source throttle.Source
	levels levels
	notes  map[string]map[string]float64 // of throttling, by mode
	// ServiceCPU has the service, OtherCPU the job.
	ServiceCPU, OtherCPU int
	// LoadCPU has who measures: a third CPU if there is one, else OtherCPU,
	// where a real-time policy puts it before the job.
	LoadCPU int
	// Felt is a file in which the service tallies its users' latencies, see
	// [throttle/requestlatency]; "" if it does not. It may be set before the first mode.
	Felt string
}

// Guard is the argument that leads a program to [native.Guard], which has to
// open what is throttled if the experiment dies; the cgroup follows.
const Guard = "guard"

// Open takes the machine's first CPUs. Domains are below a cgroup of their own,
// which a master of this machine does not see. Self starts this program as
// [Guard]. Errors wrap [host.ErrNotHere] and [host.ErrNotAllowed].
func Open(self func(args ...string) *exec.Cmd) (_ *Host, err error) {
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0))) // as the native host asks for
	h := &Host{parent: fmt.Sprintf("vlibos-bench-%d", os.Getpid()), notes: make(map[string]map[string]float64)}
	// The throttle stops domains by the freezer, which costs a tenth with
	// version 2.
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
	return h, nil
}

func (h *Host) domain(name string) host.Domain {
	return host.Domain{ID: name, UUID: name, Name: name}
}

// Add makes a started process a domain on one CPU.
func (h *Host) Add(ctx context.Context, name string, process *os.Process, cpu int) error {
	if err := h.host.Create(name, process.Pid); err != nil {
		return err
	}
	h.added = append(h.added, name)
	return h.host.Pin(ctx, name, []int{cpu})
}

// SetJob starts a job's process as a domain; it is prepared, and waits for the
// first mode.
func (h *Host) SetJob(ctx context.Context, job string, self func(args ...string) *exec.Cmd) error {
	if err := h.EndJob(ctx); err != nil {
		return err
	}
	r, err := start(job, self)
	if err != nil {
		return err
	}
	h.job, h.levels.traffic = r, rate{}
	clear(h.notes)
	if err := h.Add(ctx, Job, r.cmd.Process, h.OtherCPU); err != nil {
		return err
	}
	return r.rests(ctx)
}

// EndJob ends the job, if there is one.
func (h *Host) EndJob(ctx context.Context) error {
	if h.job == nil {
		return nil
	}
	err := errors.Join(h.free(), h.job.close())
	h.job = nil
	return errors.Join(err, h.remove(ctx, Job))
}

// Set changes to a mode; nothing of the one before is left. A throttle begins
// open: measure when [Settle] has passed.
func (h *Host) Set(ctx context.Context, m Mode) (err error) {
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
	if err := h.job.run(ctx, m.Runs); err != nil {
		return err
	}
	if m.control != nil {
		h.stop, err = m.control(ctx, h)
	}
	return err
}

// free ends the control of a mode.
func (h *Host) free() error {
	if h.stop == nil {
		return nil
	}
	err := h.stop()
	h.stop = nil
	return err
}

// Work that the job has done since it was set, in its own unit.
func (h *Host) Work() uint64 { return h.job.work() }

func (h *Host) remove(ctx context.Context, name string) error {
	for i, a := range h.added {
		if a == name {
			h.added = append(h.added[:i], h.added[i+1:]...)
			return h.host.Remove(ctx, name)
		}
	}
	return nil
}

// Close ends the job and takes all domains apart; other processes in them are
// the caller's to end before.
func (h *Host) Close() error {
	ctx := context.Background() // also when the experiment was interrupted
	err := h.EndJob(ctx)
	for len(h.added) > 0 {
		err = errors.Join(err, h.remove(ctx, h.added[0]))
	}
	if h.source != nil {
		err = errors.Join(err, h.source.Close())
	}
	return errors.Join(err, h.host.Close(), h.host.Dissolve())
}

// Realtime makes the calling thread, which must be locked, the first on its CPU,
// and keeps its process in memory. Without the right to, it is an error: what
// is measured would be the scheduler.
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
