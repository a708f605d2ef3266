// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench/native"
	"github.com/vlibos/vlibos/bench/policies"
	host "github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/internal/cliflag"
	"github.com/vlibos/vlibos/throttle/load"
)

func throttleCommands() []*cli.Command {
	const loadArg, guardArg = "throttle-load", "throttle-guard"
	return []*cli.Command{
		{
			Name:  "throttle",
			Usage: "a program beside a domain that streams through memory, under each policy; needs root and two CPUs",
			Flags: []cli.Flag{
				&cli.IntFlag{Name: "repeats", Value: 10, Usage: "repeat `N` times, each A B B A"},
				&cliflag.Duration{Name: "slot", Value: time.Second, Usage: "length of one measurement of a repeat"},
				&cliflag.Duration{Name: "period", Value: 10 * time.Millisecond, Usage: "time between the throttle's decisions"},
				&cliflag.Duration{Name: "pause", Value: 200 * time.Millisecond, Usage: "pause of the victim that works half of the time; it works for as long"},
				&cli.IntFlag{Name: "victim-mib", Value: 4, Usage: "memory that the victim reads, in MiB"},
				&cli.IntFlag{Name: "batch-mib", Value: 256, Usage: "memory that the domain writes, in MiB"},
				&cli.BoolFlag{Name: "quick", Usage: "3 repeats of 300ms"},
			},
			Action: func(c *cli.Context) error { return throttleAction(c, loadArg, guardArg) },
		},
		{Name: loadArg, Hidden: true, Action: throttleLoad},
		{Name: guardArg, Hidden: true, Action: func(c *cli.Context) error { return host.Guard(os.Stdin, c.Args().First()) }},
	}
}

// first in the environment says that this process has a high priority.
const first = "VLIBBENCH_FIRST"

// goFirst starts this program again with a priority above both loads, so that they
// cannot delay its decisions. Only then do all of its threads have the priority.
func goFirst() error {
	runtime.LockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, -20); err != nil {
		return fmt.Errorf("run as root: %w", os.NewSyscallError("setpriority", err))
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	err = unix.Exec(exe, os.Args, append(os.Environ(), first+"=1"))
	return &exec.Error{Name: exe, Err: err}
}

func throttleAction(c *cli.Context, loadArg, guardArg string) error {
	if os.Getenv(first) == "" {
		if err := begin(c.App.ErrWriter, throttleNeeds()); err != nil {
			return err
		}
		return goFirst()
	}
	victim, batch, err := native.Cores()
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(max(4, runtime.NumCPU())) // the host requires it
	parent := fmt.Sprintf("vlibbench-%d", os.Getpid())
	o := policies.Options{
		VictimCPU: victim, BatchCPU: batch, VictimMiB: c.Int("victim-mib"), BatchMiB: c.Int("batch-mib"),
		Period: c.Duration("period"), Repeats: c.Int("repeats"), Slot: c.Duration("slot"),
		Load: []string{exe, loadArg}, Guard: []string{exe, guardArg, parent}, Parent: parent, Log: c.App.ErrWriter,
	}
	if c.Bool("quick") {
		o.Repeats, o.Slot = 3, 300*time.Millisecond
	}
	for _, s := range []struct {
		suffix string
		pause  time.Duration
	}{{"", 0}, {".half", c.Duration("pause")}} {
		o.Pause = s.pause
		if s.pause > 0 {
			// Each measurement has as much work of the victim as the other kind's.
			o.Slot = max(2*o.Slot, 4*s.pause)
			fmt.Fprintf(c.App.Writer, "\nthe victim works half of the time, for %v at a time\n", s.pause)
		}
		r, err := policies.Run(c.Context, o)
		if r == nil {
			return err
		}
		if err := errors.Join(err, r.Print(c.App.Writer), keepAll(c)(r.Records(s.suffix), nil)); err != nil {
			return err
		}
	}
	return nil
}

// throttleLoad is the process of a load; its arguments are ROLE CPU MIB PAUSE FILE.
func throttleLoad(c *cli.Context) error {
	a := c.Args().Slice()
	if len(a) != 5 {
		return errors.New("throttle-load: want five arguments")
	}
	cpu, err1 := strconv.Atoi(a[1])
	mib, err2 := strconv.Atoi(a[2])
	pause, err3 := time.ParseDuration(a[3])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	o := load.Options{CPU: cpu, Buffer: mib << 20, Pause: pause, Requests: a[4], Gate: c.App.Reader}
	if policies.Role(a[0]) == policies.Batch {
		return load.Batch(o)
	}
	return load.Victim(o)
}
