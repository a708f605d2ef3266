// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vlibos/vlibos/lab/labproto"
	"github.com/vlibos/vlibos/lab/qemu"
)

// grace is how long to wait for the console's last lines when Xen or Dom0 has died.
const grace = 500 * time.Millisecond

// Run boots Xen and starts the DomUs, or resumes a machine that was saved at that point.
// Then it runs the command and ends the machine. It sets this machine up first, if
// necessary ([Setup]), and builds the hypervisor if necessary ([Hypervisor]).
//
// If the command has run, Run returns a Result, whatever the exit status. If the lab has
// failed, it returns an [*Error], which matches [ErrTimeout] if the time ended, and the
// context's error if that ended. No emulator runs after Run has returned, or after this
// process has died. Runs are independent of one another and may be concurrent.
func Run(ctx context.Context, config Config) (Result, error) {
	c, err := config.complete()
	if err != nil {
		return Result{}, fmt.Errorf("lab: %w", err)
	}
	bin, err := binDir(c.BinDir)
	if err != nil {
		return Result{}, &Error{Awaited: "this project's programs", Err: err}
	}
	base, err := Setup(ctx, c.Release, false, c.SetupLog)
	if err != nil {
		return Result{}, &Error{Awaited: "the lab's ingredients", Err: err}
	}
	xen, err := hypervisor(ctx, c.Xen, base, false, c.SetupLog)
	if err != nil {
		return Result{}, &Error{Awaited: "the hypervisor", Err: err}
	}
	emulator, err := qemu.Version(ctx)
	if err != nil {
		return Result{}, &Error{Awaited: "the emulator", Err: err}
	}
	packages, err := findPackages(ctx, c, base)
	if err != nil {
		return Result{}, &Error{Awaited: "the packages of this run", Err: err}
	}
	c = packages.makeRoom(config, c)
	files, err := newDelivery(c, bin)
	if err != nil {
		return Result{}, &Error{Awaited: "the files of this run", Err: err}
	}
	defer files.close()
	link, err := joined(ctx, c)
	if err != nil {
		return Result{}, &Error{Awaited: "the other machine", Err: err}
	}
	defer link.Close()
	m, err := newMachine(ctx, c, base, xen.Path, bin, packages, files.disks, link)
	if err != nil {
		return Result{}, err
	}
	defer m.close()

	if c.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%w after %v", ErrTimeout, c.Timeout))
		defer stop()
	}
	r := &run{config: c, machine: m, console: newConsole(c.Console), begun: time.Now()}
	r.result.Versions = Versions{QEMU: emulator, Base: base.Key}
	err = r.run(ctx, files)
	r.result.Total = time.Since(r.begun)
	if err != nil {
		return r.result, &Error{Awaited: r.awaited, Err: err, Console: r.console.tail(), Logs: r.result.Logs}
	}
	return r.result, nil
}

// run is one run as its host side sees it.
type run struct {
	config  Config
	machine *machine
	console *console
	begun   time.Time
	awaited string
	result  Result
	running bool // the command has been started
	failed  bool // the guest has reported why it cannot be started
	// remove removes the saved machine that was resumed; nil if none was.
	remove func() error
}

// run prepares a machine, gives it the job, and answers it until the command has ended.
// The emulator has ended when it returns, so that the console is complete.
func (r *run) run(ctx context.Context, files *delivery) (err error) {
	defer func() {
		// An error that follows from the killed emulator is not the cause.
		if err != nil && ctx.Err() != nil {
			err = ended(ctx)
		}
	}()
	limit := time.NewTimer(r.config.BootTimeout)
	defer limit.Stop()
	l, err := r.prepare(ctx, limit)
	if err != nil {
		return err
	}
	defer l.close()
	r.awaited = "the files of this run"
	if err := files.put(); err != nil {
		return err
	}
	err = r.start(ctx, l, files)
	if err == nil {
		err = r.follow(ctx, l, limit)
	}
	if err != nil && ctx.Err() == nil && r.remove != nil && !r.running && !r.failed {
		// It died or hangs, perhaps already when it was saved.
		fmt.Fprintln(r.config.Notes, "the saved machine is removed, the next run boots")
		err = errors.Join(err, r.remove())
	}
	return err
}

// start gives a machine its job and resumes it.
func (r *run) start(ctx context.Context, l *link, files *delivery) error {
	// The job is sent before the machine runs: in counted mode the time of an idle
	// machine passes quickly.
	err := l.conn.SendJSON(labproto.KindJob, r.config.job(files.hasServer()))
	if err == nil {
		err = l.vm.Continue()
	}
	if err != nil {
		return r.because(ctx, l.vm, err)
	}
	return nil
}

// enter sets the awaited stage.
func (r *run) enter(stage string) {
	r.awaited = stage
	r.config.Progress(stage)
}

// follow answers the guest until it is prepared, or until the command has ended. Only
// then does it return nil.
func (r *run) follow(ctx context.Context, l *link, limit *time.Timer) error {
	for {
		select {
		case f := <-l.frames:
			done, err := r.frame(l, f)
			if done || err != nil {
				return err
			}
			if r.running {
				limit.Stop()
			}
		case err := <-l.broken:
			return r.because(ctx, l.vm, fmt.Errorf("channel to Dom0: %w", err))
		case <-l.vm.Done():
			return r.died(ctx, l.vm)
		case line := <-r.console.dead:
			select {
			case <-l.vm.Done():
			case <-time.After(grace):
			}
			return fmt.Errorf("the machine died: %s", strings.TrimSpace(line))
		case <-limit.C:
			return fmt.Errorf("not ready after %v", r.config.BootTimeout)
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// ended returns the error of a context that has ended, with its cause.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err || errors.Is(cause, ErrTimeout) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// because returns how the emulator ended, if it did, instead of err: the end of its
// connections is only a consequence.
func (r *run) because(ctx context.Context, vm *qemu.Process, err error) error {
	select {
	case <-vm.Done():
		return r.died(ctx, vm)
	case <-time.After(grace):
		return err
	}
}

// died returns how the emulator ended.
func (r *run) died(ctx context.Context, vm *qemu.Process) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	select {
	case line := <-r.console.dead:
		return fmt.Errorf("the machine died: %s", strings.TrimSpace(line))
	default:
	}
	if err := vm.Err(); err != nil {
		return fmt.Errorf("the emulator ended: %w", err)
	}
	return errors.New("the machine powered itself off")
}

// frame handles one frame of the guest. done means that the machine is prepared or the
// command has ended.
func (r *run) frame(l *link, f labproto.Frame) (done bool, err error) {
	switch f.Kind {
	case labproto.KindHello:
		var hello labproto.Hello
		if err := f.Decode(&hello); err != nil {
			return false, err
		}
		if hello.Revision != labproto.Revision {
			return false, fmt.Errorf("%s has revision %d, and this program has %d: run `make build`", initProgram, hello.Revision, labproto.Revision)
		}
		r.result.Versions.Xen, r.result.Versions.Dom0 = hello.Xen, hello.Kernel
		return false, l.conn.SendJSON(labproto.KindPlan, r.machine.plan)
	case labproto.KindPrepared:
		return true, nil
	case labproto.KindStage:
		r.enter(string(f.Payload))
	case labproto.KindRunning:
		r.running = true
		r.result.Boot = time.Since(r.begun)
		r.awaited = "the end of " + r.config.Args[0]
		if bus := r.machine.bus; bus != nil {
			if err := bus.setService(r.config.BusService); err != nil {
				return false, err
			}
		}
		r.config.Progress("")
		r.startInput(l)
	case labproto.KindStdout:
		_, err = r.config.Stdout.Write(f.Payload)
	case labproto.KindStderr:
		_, err = r.config.Stderr.Write(f.Payload)
	case labproto.KindLog:
		var log labproto.Log
		err = f.Decode(&log)
		r.result.Logs = append(r.result.Logs, Log{Name: log.Name, Text: log.Text})
	case labproto.KindFailed:
		var failed labproto.Failed
		if err := f.Decode(&failed); err != nil {
			return false, err
		}
		r.failed, r.awaited = true, failed.Awaited
		return false, errors.New(failed.Error)
	case labproto.KindExit:
		var exit labproto.Exit
		err = f.Decode(&exit)
		r.result.Status = exit.Status
		return true, err
	default:
		return false, fmt.Errorf("unexpected frame of kind %d from Dom0", f.Kind)
	}
	return false, err
}
