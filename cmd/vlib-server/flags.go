// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	domuserver "github.com/vlibos/vlibos/domu-server"
	"github.com/vlibos/vlibos/internal/cliflag"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.Uint64Flag{Name: "port", Value: 1, Usage: "serve port `N`"},
		&cli.StringFlag{Name: "transport", Value: "auto", Usage: "`NAME` of the transport for calls: xen, native (processes of this machine), or auto: xen in a Xen guest, else native"},
		&cli.StringFlag{Name: "name", DefaultText: "the host name", Usage: "`NAME` of the domain"},
		&cli.StringFlag{Name: "native-dir", Value: native.DefaultRoot, EnvVars: []string{"VLIBOS_NATIVE_DIR"}, Usage: "transport native: `DIR` with the native domains; this one's sockets go into DIR/NAME"},
		&cli.StringFlag{Name: "worker", DefaultText: "vlib-worker beside this program", Usage: "`PATH` of the program in which libraries run"},
		&cli.StringSliceFlag{Name: "libraries", Usage: "`LIST` of libraries that may be called. Without it, all sonames that the dynamic linker finds. A directory, by absolute path, adds its files; a soname limits the sonames to those in the list; none allows no soname. May be repeated"},
		&cli.BoolFlag{Name: "run", Value: true, DefaultText: "true, or false with --libraries none", Usage: "run commands for Dom0, as this user, with the built-in function vlib run; --run=false: run none"},
		&cli.IntFlag{Name: "max-workers", Value: domuserver.DefaultMaxWorkers, Usage: "keep `N` idle workers, about 5 MiB each"},
		&cliflag.Duration{Name: "max-run-time", Value: domuserver.DefaultMaxRunTime, Usage: "end a library's function or a command after `D`; 0: never"},
		&cli.IntFlag{Name: "max-output", Value: domuserver.DefaultMaxOutput, Usage: "keep `BYTES` of each of stdout and stderr of a command"},
		&cli.StringFlag{Name: "order", Value: vlibcall.FIFO.String(), Usage: "serve in `ORDER`: fifo, all that a channel has before the next one; in-turn, one call of each channel; period, the client with the shortest period first"},
		&cli.IntFlag{Name: "at-once", Value: 1, Usage: "serve `N` calls at the same time, the next of the channel that has the fewest; above 1, no channel is polled"},
		&cliflag.Duration{Name: "linger", Usage: "poll a channel for `D` after a call before sleeping: for clients that spin"},
		&cliflag.Duration{Name: "session-idle", DefaultText: "1ms", Usage: "poll an open session for `D` before sleeping"},
		&cli.BoolFlag{Name: "man", Hidden: true, Usage: "print the manual page, for a package"},
	}
}

// options reads the flags.
func options(c *cli.Context) (domuserver.Options, error) {
	o := domuserver.Options{
		Name:        c.String("name"),
		Version:     version(),
		Transport:   c.String("transport"),
		Transports:  transportNames(),
		Worker:      c.String("worker"),
		MaxWorkers:  c.Int("max-workers"),
		MaxRunTime:  c.Duration("max-run-time"),
		MaxOutput:   c.Int("max-output"),
		AtOnce:      c.Int("at-once"),
		Linger:      c.Duration("linger"),
		SessionIdle: c.Duration("session-idle"),
		// As PID 1 this process has the children of all other processes.
		Sole: os.Getpid() != 1,
	}
	if o.MaxRunTime < 0 || o.Linger < 0 || o.SessionIdle < 0 {
		return o, usagef("--max-run-time, --linger and --session-idle cannot be negative")
	}
	if o.MaxWorkers < 1 || o.MaxOutput < 1 || o.AtOnce < 1 {
		return o, usagef("--max-workers, --max-output and --at-once must be positive")
	}
	if o.MaxRunTime == 0 {
		o.MaxRunTime = -1
	}
	var err error
	if o.Order, err = vlibcall.ParseOrder(c.String("order")); err != nil {
		return o, usagef("--order: %w", err)
	}
	if o.Port, err = port(c); err != nil {
		return o, err
	}
	if o.Libraries, err = domuserver.ParseLibraries(entries(c.StringSlice("libraries"))); err != nil {
		return o, usagef("--libraries: %w", err)
	}
	// A server that allows no library allows no command either.
	none := o.Libraries.Closed && len(o.Libraries.Sonames) == 0
	if o.NoRun = !c.Bool("run"); !c.IsSet("run") {
		o.NoRun = none
	}
	if o.Name == "" {
		if o.Name, err = os.Hostname(); err != nil {
			return o, err
		}
	}
	if err := native.CheckName(o.Name); err != nil {
		return o, usagef("--name %w", err)
	}
	if o.Transport == "auto" {
		o.Transport = bestTransport()
	}
	if transports[o.Transport] == nil {
		return o, usagef("--transport %q: want one of auto, %s", o.Transport, strings.Join(transportNames(), ", "))
	}
	return o, nil
}
