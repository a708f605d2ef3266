// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/doctor"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/throttle"
)

// Part is one thing that is tried.
type Part struct {
	Name, About string
	try         func(context.Context, *stage) (Result, error)
}

// Parts are all parts, in their order.
var Parts = []Part{
	{"budgets", "a busy domain has its budget in each period, no more, and is accounted for", budgets},
	{"timers", "a real-time thread wakes on time beside such a domain", timers},
	{"calls", "a server on this machine answers calls", calls},
	{"counters", "the counters of memory requests count a known load", counters},
}

// Limit is how long all parts may take.
const Limit = 5 * time.Minute

// Options are those of [Run].
type Options struct {
	Self     string        // this program, which has the hidden commands "selftest-load" and "guard"
	Kernel   string        // for domains of Xen; empty: the running one's file in /boot
	Facts    doctor.Facts  // of this host
	Socket   string        // of the master that serves this host, if Facts.Master has one
	Progress func(string)  // is called with the name of each stage
	Latency  latencySource // opens the host's counters
	// Late is by how much the host says that the end of a budget may come late.
	Late time.Duration
}

type latencySource func(ctx context.Context) (throttle.Source, func() error, error)

// ground is where throw-away domains are made.
type ground interface {
	// make makes a domain of that name whose only program never sleeps, on the CPU
	// that all of them share.
	make(ctx context.Context, s *stage, name string) (domain, error)
	// server starts the server that is this program.
	server(ctx context.Context, s *stage, program string) (server, error)
	// plan is one for these domains, of which there are none yet.
	plan() *plan
	// serve has the arguments of a master for these domains.
	serve() []string
}

// domain is a throw-away domain. Undoing the plan ends it.
type domain interface {
	name() string
	cpu() (time.Duration, error) // that the hypervisor or the kernel counted
}

// stage is what one part uses. The plan is undone after each part.
type stage struct {
	Options
	plan   *plan
	ground ground
	ended  []func() error // waits for processes that the plan has ended
}

func (s *stage) make(ctx context.Context, name string) (domain, error) {
	s.Progress("making a domain: " + name)
	return s.ground.make(ctx, s, name)
}

// run starts a process, and has its end awaited after the plan is undone. A shell with its
// number becomes the program once the plan has it, and ends if this process dies before.
func (s *stage) run(cmd *exec.Cmd) error {
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `read -r go && exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err = s.plan.process(cmd.Process.Pid); err == nil {
		_, err = in.Write([]byte("go\n"))
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	s.ended = append(s.ended, func() error { _ = cmd.Wait(); return nil }) // it was killed
	return nil
}

// Run tries the parts, all of them or those named, one after the other. Whatever it
// made is undone when it returns, or Report.Left says what is not. The error is that
// nothing could be tried.
func Run(ctx context.Context, o Options, only ...string) (Report, error) {
	if os.Geteuid() != 0 {
		return Report{}, fmt.Errorf("a self-test makes domains: %w: run as root", os.ErrPermission)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, Limit, fmt.Errorf("the %v of a self-test are over: repeat it with --only, on a machine that is less busy", Limit))
	defer cancel()
	r := describe(o.Facts)
	for _, p := range Parts {
		if len(only) > 0 && !slices.Contains(only, p.Name) {
			continue
		}
		found, err := tried(ctx, o, p)
		r.Results = append(r.Results, found)
		if err != nil {
			r.Left = strings.TrimSpace(r.Left + " " + err.Error())
		}
		if ctx.Err() != nil {
			break
		}
	}
	return r, ctx.Err()
}

// tried is a part's result. The error says what could not be undone.
func tried(ctx context.Context, o Options, p Part) (Result, error) {
	s := &stage{Options: o}
	g, err := newGround(o)
	if err != nil {
		return result(p.Name, Result{}, err), nil
	}
	s.ground = g
	if s.plan, err = newPlan(g.plan()); err != nil {
		return result(p.Name, Result{}, err), nil
	}
	lease := keeper.NewLease([]string{o.Self, "guard", Name, s.plan.Dir})
	var found Result
	if err = begin(ctx, lease); err == nil {
		renewing, cancel := context.WithCancel(ctx)
		var renewal sync.WaitGroup
		renewal.Go(func() { renew(renewing, lease) })
		found, err = p.try(ctx, s)
		cancel()
		renewal.Wait()
	}
	if ctx.Err() != nil {
		err = impossible("it was not finished: %w", context.Cause(ctx))
	}
	judged := result(p.Name, found, err)
	left := s.plan.Undo()
	for _, wait := range s.ended {
		left = errors.Join(left, wait())
	}
	if left == nil {
		left = os.RemoveAll(s.plan.Dir)
	}
	return judged, errors.Join(left, lease.Leave(left != nil))
}

// begin starts the guard, which a busy machine may take a while to do.
func begin(ctx context.Context, l *keeper.Lease) error {
	for end := time.Now().Add(time.Minute); ; {
		_, err := l.Renew(leased)
		if err == nil || time.Now().After(end) || sleep(ctx, time.Second/10) != nil {
			return err
		}
	}
}

// leased is how long a self-test that is stopped keeps what it made.
const leased = 20 * time.Second

func renew(ctx context.Context, l *keeper.Lease) {
	for tick := time.NewTicker(leased / 4); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			_, _ = l.Renew(leased) // without it the guard undoes, which parts notice
		}
	}
}

// describe takes from the facts what says nothing about whose host it is.
func describe(f doctor.Facts) Report {
	r := Report{Host: f.Host, Xen: f.Xen.Version, Scheduler: f.Xen.Scheduler, CPUs: online(), CPU: model()}
	if f.Host == directory.Native {
		r.Xen, r.Scheduler = "", ""
	}
	if f.Xen.Module.Present {
		r.Module = fmt.Sprint("revision ", f.Xen.Module.Revision)
	}
	r.Kernel = release()
	return r
}

// release is the running kernel's.
func release() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}

// defaultKernel is the file of the running kernel.
func defaultKernel() string { return filepath.Join("/boot", "vmlinuz-"+release()) }
