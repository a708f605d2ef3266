// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/internal/cliflag"
	"github.com/vlibos/vlibos/lab"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/processor"
)

// machineFlags are the flags of a boot.
func machineFlags() []cli.Flag {
	const machine, domus, files, output = "the machine", "the DomUs", "files", "time and output"
	return []cli.Flag{
		releaseFlag(machine),
		&cli.StringFlag{Category: machine, Name: "mode", DefaultText: "functional, with PVH and HVM guests counted", Usage: "functional (parallel CPUs), counted (time is the number of instructions) or contended (CPUs that queue for a memory bus)"},
		&cli.StringFlag{Category: machine, Name: "processor", Usage: "an emulated processor with cache classes or uncore counters: " + strings.Join(processor.Names(), ", ")},
		&cliflag.Duration{Category: machine, Name: "bus-service", Usage: "contended: the length of a turn on the memory bus while CMD runs, 0 for off (docs/reference/lab-bus.md)"},
		&cli.StringFlag{Category: machine, Name: "xen", Value: lab.StockXen, Usage: "hypervisor: stock, vlib (built here with this project's module), vlib-debug (with Xen's assertions), vlib-flask (with XSM and Flask), unsupported (built here, without the module, with the schedulers RTDS, null and ARINC653, which Xen does not support), none (Linux alone, without DomUs), or the `PATH` of an image, with a slash"},
		&cli.StringFlag{Category: machine, Name: "sched", DefaultText: "vlib with --xen vlib, else Xen's own", Usage: "Xen's scheduler, by `NAME`: credit2, credit, vlib, …"},
		&cli.StringFlag{Category: machine, Name: "xen-args", Usage: "`ARGS` added to the hypervisor's command line"},
		&cli.StringFlag{Category: machine, Name: "kernel-args", Usage: "`ARGS` added to Dom0's kernel command line (no comma)"},
		&cli.IntFlag{Category: machine, Name: "pcpus", DefaultText: "2", Usage: "number of emulated CPUs"},
		&cli.BoolFlag{Category: machine, Name: "empty-node", Usage: "the last CPU is in a NUMA node of its own, which has no memory"},
		&cli.IntFlag{Category: machine, Name: "memory", DefaultText: "1024 and what the DomUs need", Usage: "the machine's memory in `MIB`"},
		&cli.IntFlag{Category: machine, Name: "dom0-vcpus", DefaultText: "as many as CPUs; counted and contended: 1, pinned", Usage: "number of Dom0's vCPUs"},

		&cli.StringFlag{Category: machine, Name: "join", Usage: "a network to the machine of another vliblab that joins at the same `SOCKET`, with --address"},
		&cli.StringFlag{Category: machine, Name: "address", Usage: "Dom0's `IPV4/LENGTH` on that network, for example 10.0.0.1/24"},

		&cli.IntFlag{Category: domus, Name: "domus", DefaultText: "1; without Xen 0", Usage: "number of DomUs, which are named vlib1, vlib2, …"},
		&cli.StringFlag{Category: domus, Name: "guest", Value: string(lab.PV), Usage: "pv, pvh, or hvm (with trixie)"},
		&cli.IntFlag{Category: domus, Name: "domu-memory", DefaultText: "256", Usage: "memory of each in `MIB`"},
		&cli.IntFlag{Category: domus, Name: "domu-vcpus", DefaultText: "1", Usage: "vCPUs of each"},
		&cli.StringFlag{Category: domus, Name: "domu-cpus", Usage: "`CPUS` they may run on, in xl's syntax (default: all; counted and contended: the last)"},
		&cli.StringFlag{Category: domus, Name: "domu-kernel-args", Usage: "`ARGS` added to their kernel command line"},
		&cli.IntFlag{Category: domus, Name: "domu-gntalloc-limit", DefaultText: "the kernel's, 1024", Usage: "pages of 4 KiB that each may share through gntalloc"},
		&cli.BoolFlag{Category: machine, Name: "fresh", Usage: "boot even if a saved machine could be resumed, and save none"},
		&cli.BoolFlag{Category: domus, Name: "no-wait", Usage: "do not wait until their servers are announced"},

		&cli.StringSliceFlag{Category: files, Name: "add", Usage: "copy a file or folder to Dom0: `HOST:GUEST`; may be repeated"},
		&cli.StringSliceFlag{Category: files, Name: "domu-add", Usage: "copy a file or folder to the DomUs: `HOST:GUEST`; may be repeated"},
		&cli.StringSliceFlag{Category: files, Name: "dom0-package", Usage: "add a package of the release to Dom0, with its dependencies: `NAME`; may be repeated"},
		&cli.StringSliceFlag{Category: files, Name: "domu-package", Usage: "add a package of the release to the DomUs, with its dependencies: `NAME`; may be repeated"},
		&cli.StringSliceFlag{Category: files, Name: "env", Usage: "set a variable for the command: `NAME=VALUE`; may be repeated"},

		&cliflag.Duration{Category: output, Name: "boot-timeout", DefaultText: "5m, counted and contended: 10m, HVM guests: 30m", Usage: "limit of the time until the command runs"},
		&cliflag.Duration{Category: output, Name: "server-timeout", DefaultText: "3m of the guest's time", Usage: "limit of the wait for one DomU's server"},
		&cli.BoolFlag{Category: output, Name: "quiet", Aliases: []string{"q"}, Usage: "show no progress"},
		&cli.BoolFlag{Category: output, Name: "verbose", Aliases: []string{"v"}, Usage: "show Xen's and Dom0's console on stderr, and the DomUs' at the end"},
	}
}

// releaseFlag selects the release that is booted.
func releaseFlag(category string) cli.Flag {
	return &cli.StringFlag{Category: category, Name: "release", Value: image.DefaultRelease, Usage: "Debian's release of Xen, kernel and packages: " + strings.Join(image.Releases(), " or ")}
}

// defaultTimeout ends a command that hangs, so that a script continues.
const defaultTimeout = 30 * time.Minute

// config reads the machine's flags and the command. The command is otherwise if the
// user gives none.
func config(c *cli.Context, otherwise ...string) (lab.Config, error) {
	for _, name := range []string{"pcpus", "memory", "dom0-vcpus", "domu-memory", "domu-vcpus"} {
		if c.IsSet(name) && c.Int(name) < 1 {
			return lab.Config{}, usagef("--%s %d: want a positive number", name, c.Int(name))
		}
	}
	cfg := lab.Config{
		Args: c.Args().Slice(), Env: c.StringSlice("env"),
		Release: c.String("release"), Dom0Packages: c.StringSlice("dom0-package"), DomUPackages: c.StringSlice("domu-package"),
		Mode: lab.Mode(c.String("mode")), BusService: c.Duration("bus-service"), EmptyNode: c.Bool("empty-node"), Processor: c.String("processor"), Xen: c.String("xen"), Scheduler: c.String("sched"),
		XenArgs: c.String("xen-args"), KernelArgs: c.String("kernel-args"),
		PCPUs: c.Int("pcpus"), MemoryMiB: c.Int("memory"), Dom0VCPUs: c.Int("dom0-vcpus"),
		DomUs: c.Int("domus"), Guest: lab.Guest(c.String("guest")),
		DomUMemoryMiB: c.Int("domu-memory"), DomUVCPUs: c.Int("domu-vcpus"), DomUCPUs: c.String("domu-cpus"),
		DomUKernelArgs: c.String("domu-kernel-args"), DomUGntallocLimit: c.Int("domu-gntalloc-limit"),
		BootTimeout: c.Duration("boot-timeout"), ServerTimeout: c.Duration("server-timeout"), Logs: c.Bool("verbose"), NoWait: c.Bool("no-wait"), Fresh: c.Bool("fresh"),
	}
	if !c.IsSet("domus") && cfg.Xen != lab.NoXen {
		cfg.DomUs = 1
	}
	for flag, files := range map[string]*[]lab.File{"add": &cfg.Add, "domu-add": &cfg.DomUAdd} {
		for _, s := range c.StringSlice(flag) {
			f, err := lab.ParseFile(s)
			if err != nil {
				return cfg, usagef("--%s: %v", flag, err)
			}
			*files = append(*files, f)
		}
	}
	if cfg.Join = c.String("join"); c.IsSet("address") {
		var err error
		if cfg.Address, err = netip.ParsePrefix(c.String("address")); err != nil {
			return cfg, usagef("--address: %v", err)
		}
	}
	if len(cfg.Args) == 0 {
		cfg.Args = otherwise
	}
	if err := cfg.Check(); err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}
