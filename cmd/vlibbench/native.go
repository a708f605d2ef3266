// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench/native"
)

// peerCPU in the environment says that this process is pinned, and where its
// peer shall be.
const peerCPU = "VLIBBENCH_PEER_CPU"

func nativeCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "native",
			Usage: "calls between two processes of this machine",
			Flags: []cli.Flag{
				&cli.IntFlag{Name: "repeats", Value: 15, Usage: "repeat each comparison `N` times, each A B B A"},
				&cli.StringSliceFlag{Name: "only", Usage: "measure only this `PART`: " + strings.Join(native.Parts, ", ") + "; may be repeated"},
				&cli.DurationFlag{Name: "slot", Value: 40 * time.Millisecond, Usage: "how long one measurement of a repeat lasts"},
			},
			Action: nativeAction,
		},
		{
			Name:   "native-peer",
			Hidden: true,
			Action: func(c *cli.Context) error {
				return native.Peer(c.Context, c.Args().First(), c.App.Reader, c.App.Writer)
			},
		},
	}
}

func nativeAction(c *cli.Context) error {
	for _, part := range c.StringSlice("only") {
		if !slices.Contains(native.Parts, part) {
			return fmt.Errorf("there is no part %q: expected one of %s", part, strings.Join(native.Parts, ", "))
		}
	}
	cpu, err := strconv.Atoi(os.Getenv(peerCPU))
	if err != nil {
		return pinned()
	}
	return native.Client(c.Context, native.Options{
		Repeats: c.Int("repeats"), Slot: c.Duration("slot"), PeerCPU: cpu, Only: c.StringSlice("only"),
		Self: native.Self, PeerArgs: []string{"native-peer"},
	}, keep(c))
}

// pinned starts this program again on one CPU: only so are all its threads
// there.
func pinned() error {
	mine, peers, err := native.Cores()
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(mine)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	err = unix.Exec(exe, os.Args, append(os.Environ(), fmt.Sprintf("%s=%d", peerCPU, peers)))
	return &exec.Error{Name: exe, Err: err}
}
