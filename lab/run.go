// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vlibos/vlibos/lab/qemu"
	"github.com/vlibos/vlibos/lab/wire"
	"github.com/vlibos/vlibos/throttle/model"
)

// grace is how long the console's last lines are waited for when Xen or Dom0
// has died.
const grace = 500 * time.Millisecond

// Run boots Xen, starts the DomUs, runs the command and takes everything away.
// It sets the machine up first if that has not been done ([Setup]), and builds
// the hypervisor if it must ([Hypervisor]).
//
// A command that ran gives a Result, whatever its exit status. A lab that
// failed gives an [*Error]; it matches [ErrTimeout] if the time was over, and
// the context's error if that ended. No emulator is left when Run returns, nor
// when this process dies. Runs are independent of one another and may be
// concurrent.
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
	initrd, hasServer, err := ramdisk(ctx, c, base, bin)
	if err != nil {
		return Result{}, &Error{Awaited: "the images of this run", Err: err}
	}
	defer initrd.Close()
	machine := qemu.Machine{
		CPUs: c.PCPUs, MemoryMiB: c.MemoryMiB, Counted: c.Mode == Counted,
		Hypervisor: xen.Path, Kernel: base.Dom0Kernel(), Ramdisk: initrd,
		HypervisorArgs: c.xenArgs(), KernelArgs: c.dom0Args(), Port: wire.Port,
	}
	r := &run{config: c, job: c.job(hasServer), awaited: "booting Xen and Dom0"}
	if c.Mode == Contended {
		if r.bus, err = newMemoryBus(ctx, c.SetupLog); err != nil {
			return Result{}, &Error{Awaited: "the emulator's memory model", Err: err}
		}
		defer r.bus.file.Close()
		machine.Plugin, machine.Shared, machine.SharedBytes = r.bus.plugin, r.bus.file, model.Bytes
	}
	version, err := qemu.Version(ctx)
	if err != nil {
		return Result{}, &Error{Awaited: "the emulator", Err: err}
	}

	if c.Timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("%w after %v", ErrTimeout, c.Timeout))
		defer stop()
	}
	con := newConsole(c.Console)
	c.Progress("booting Xen")
	r.start = time.Now()
	r.result.Versions = Versions{QEMU: version, Base: base.Key}
	vm, err := qemu.Start(ctx, machine, con)
	if err != nil {
		return Result{}, &Error{Awaited: "the emulator", Err: err}
	}
	defer vm.Close()
	err = r.follow(ctx, vm, con)
	r.result.Total = time.Since(r.start)
	if err != nil {
		// The emulator is gone before its console is read, so that nothing of
		// it is missing.
		vm.Close()
		return r.result, &Error{Awaited: r.awaited, Err: err, Console: con.tail(), Logs: r.result.Logs}
	}
	return r.result, nil
}

// run is one boot as its host side sees it.
type run struct {
	config  Config
	job     wire.Job
	start   time.Time
	awaited string
	result  Result
	conn    *wire.Conn
	running bool // the command has been started
	bus     *memoryBus
}

// follow answers the guest until the command has ended, and returns nil only
// then.
func (r *run) follow(ctx context.Context, vm *qemu.Process, con *console) error {
	r.conn = wire.NewConn(vm.Channel)
	frames := make(chan wire.Frame)
	broken := make(chan error, 1)
	quit := make(chan struct{})
	received := make(chan struct{})
	defer func() {
		close(quit)
		vm.Close()
		<-received
	}()
	go func() {
		defer close(received)
		for {
			f, err := r.conn.Receive()
			if err != nil {
				broken <- err
				return
			}
			select {
			case frames <- f:
			case <-quit:
				return
			}
		}
	}()

	boot := time.NewTimer(r.config.BootTimeout)
	defer boot.Stop()
	for {
		select {
		case f := <-frames:
			done, err := r.frame(f, quit)
			if done || err != nil {
				return err
			}
			if r.running {
				boot.Stop()
			}
		case err := <-broken:
			// The emulator ends with its channel; why is more to the point.
			select {
			case <-vm.Done():
				return r.died(ctx, vm, con)
			case <-time.After(grace):
				return fmt.Errorf("channel to Dom0: %w", err)
			}
		case <-vm.Done():
			return r.died(ctx, vm, con)
		case line := <-con.dead:
			select {
			case <-vm.Done():
			case <-time.After(grace):
			}
			return fmt.Errorf("the machine died: %s", strings.TrimSpace(line))
		case <-boot.C:
			return fmt.Errorf("not booted after %v", r.config.BootTimeout)
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

// ended is the error of a context that has ended, with its cause.
func ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err || errors.Is(cause, ErrTimeout) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// died says how the emulator ended.
func (r *run) died(ctx context.Context, vm *qemu.Process, con *console) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	select {
	case line := <-con.dead:
		return fmt.Errorf("the machine died: %s", strings.TrimSpace(line))
	default:
	}
	if err := vm.Err(); err != nil {
		return fmt.Errorf("the emulator ended: %w", err)
	}
	return errors.New("the machine powered itself off")
}

// frame acts on one frame of the guest; done means that the command has ended.
func (r *run) frame(f wire.Frame, quit <-chan struct{}) (done bool, err error) {
	switch f.Kind {
	case wire.KindHello:
		var hello wire.Hello
		if err := f.Decode(&hello); err != nil {
			return false, err
		}
		if hello.Revision != wire.Revision {
			return false, fmt.Errorf("%s is of revision %d, this program of %d: run `make build`", initProgram, hello.Revision, wire.Revision)
		}
		r.result.Versions.Xen, r.result.Versions.Dom0 = hello.Xen, hello.Kernel
		return false, r.conn.SendJSON(wire.KindJob, r.job)
	case wire.KindStage:
		r.awaited = string(f.Payload)
		r.config.Progress(r.awaited)
	case wire.KindRunning:
		r.running = true
		r.awaited = "the end of " + r.config.Args[0]
		r.result.Boot = time.Since(r.start)
		if r.bus != nil {
			if err := r.bus.setService(r.config.BusService); err != nil {
				return false, err
			}
		}
		r.config.Progress("")
		r.startInput(quit)
	case wire.KindStdout:
		_, err = r.config.Stdout.Write(f.Payload)
	case wire.KindStderr:
		_, err = r.config.Stderr.Write(f.Payload)
	case wire.KindLog:
		var log wire.Log
		err = f.Decode(&log)
		r.result.Logs = append(r.result.Logs, Log{Name: log.Name, Text: log.Text})
	case wire.KindFailed:
		var failed wire.Failed
		if err := f.Decode(&failed); err != nil {
			return false, err
		}
		r.awaited = failed.Awaited
		return false, errors.New(failed.Error)
	case wire.KindExit:
		var exit wire.Exit
		err = f.Decode(&exit)
		r.result.Status = exit.Status
		return true, err
	default:
		return false, fmt.Errorf("unexpected frame of kind %d from Dom0", f.Kind)
	}
	return false, err
}
