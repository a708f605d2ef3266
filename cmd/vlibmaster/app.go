// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/bench/command"
	"github.com/vlibos/vlibos/dom0/directory"
	host "github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

const description = `A vLib OS is a domain that serves calls: of functions in its shared libraries,
and of functions that its server has built in.

   vlibmaster doctor                           what this host has, and what is missing
   vlibmaster services 1                       what domain 1 serves
   vlibmaster call 1 libm.so.6 cos --sig 'f64(f64)' 0.5
   vlibmaster call web vlib echo hello         built in: bytes in, bytes out
   vlibmaster call 1 vlib run -- uname -a      built in: run a command in the guest
   vlibmaster bench all --report out           measure what is claimed, on this machine

DOMAIN is, on Xen, a domain's number, name or UUID; on the native host,
which needs no Xen, the NAME with which 'vlib-server --transport native --name NAME'
was started on this machine. Users other than root call what the configuration of
'vlibmaster serve' lets them, through its sockets: by themselves, or with
--host gateway.

`

// run is the program. It returns nil or an error for [message] and [exitCode].
//
// With --json an error is an object on standard output too, behind what the
// command has written; a command that has the error in its own object says so by
// [reported].
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 1 && strings.HasPrefix(args[len(args)-1], completionFlag) {
		return complete(ctx, args[1:], stdout)
	}
	app := newApp(stdin, stdout, stderr)
	app.Setup()
	arranged, err := arrange(app, args)
	if err == nil {
		err = app.RunContext(ctx, arranged)
	}
	if r := (*reportedError)(nil); err == nil || errors.As(err, &r) || !asksJSON(args) {
		return err
	}
	if jerr := joinObjects(stdout, failureOf(err)); jerr != nil {
		return fmt.Errorf("%w (and standard output: %w)", err, jerr)
	}
	return err
}

// asksJSON looks for the flag --json, also in a line that is wrong.
func asksJSON(args []string) bool {
	if end := slices.Index(args, "--"); end >= 0 {
		args = args[:end]
	}
	return slices.ContainsFunc(args, func(w string) bool { return w == "--json" || w == "-json" || w == "--json=true" })
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                      "vlibmaster",
		Usage:                     "call library functions in other domains",
		Description:               description + exitTable(),
		Reader:                    stdin,
		Writer:                    stdout,
		ErrWriter:                 stderr,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		// Errors are the caller's to report and to turn into a status.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usagef("%w", err) },
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "host", Value: directory.Auto, EnvVars: []string{"VLIBOS_HOST"}, Usage: "where domains are: auto, xen, native, or gateway (through 'vlibmaster serve'); to 'serve', xen is module or stock"},
			&cli.StringFlag{Name: "native-dir", Value: native.DefaultRoot, EnvVars: []string{"VLIBOS_NATIVE_DIR"}, Usage: "`DIR` with the native domains"},
			&cli.StringFlag{Name: "native-cgroup", Value: host.DefaultParent, EnvVars: []string{"VLIBOS_NATIVE_CGROUP"}, Usage: "`CGROUP` below which every cgroup is a native domain: a host of its own, with a master of its own"},
			&cli.BoolFlag{Name: "version", Usage: "the same as the command version"},
		},
		Before: func(c *cli.Context) error { _, err := chosen(c); return err },
		Action: func(c *cli.Context) error {
			if c.Bool("version") {
				return versionAction(c)
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{guardCommand(), callCommand(), servicesCommand(), doctorCommand(), serveCommand(), adoptCommand(), releaseCommand(), psCommand(), topCommand(), admitCommand(),
			calibrateCommand(), runCommand(), cgroupCommand(), calibrateLoadCommand(), versionCommand(), completionCommand(), printCommand()},
	}
	app.Commands = append(app.Commands, command.New(command.Config{Name: "bench", Program: "vlibmaster"})...)
	for _, c := range app.Commands {
		c.OnUsageError = app.OnUsageError
		// A positional "help" is a domain's name like any other.
		c.HideHelpCommand = true
	}
	return app
}

// chosen is the host that the global flags choose.
func chosen(c *cli.Context) (directory.Config, error) { return choose(c.String) }

// choose is chosen for flags that get returns.
func choose(get func(flag string) string) (directory.Config, error) {
	cfg := directory.Config{Host: get("host"), NativeDir: get("native-dir"), GatewayDir: directory.DefaultGatewayDir}
	if dir := get("run-dir"); dir != "" { // of commands that have the flag
		cfg.GatewayDir = callDir(dir)
	}
	if names := append(slices.Clone(directory.Hosts), directory.Gateway); !slices.Contains(names, cfg.Host) {
		return cfg, usagef("--host %q: want one of %s", cfg.Host, strings.Join(names, ", "))
	}
	if cfg.Host == directory.Module || cfg.Host == directory.Stock {
		cfg.Host = directory.Xen // who keeps budgets is the master's matter
	}
	return cfg, nil
}

// callDir has a master's sockets for calls.
func callDir(runDir string) string {
	return filepath.Join(runDir, filepath.Base(directory.DefaultGatewayDir))
}

// noArguments is for commands that take none.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("%s takes no argument, got %q", c.Command.Name, c.Args().First())
	}
	return nil
}
