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

const description = `A vLib OS is a domain that serves calls of functions: of its shared libraries, and
of those that its server has built in.

   vlibmaster doctor                           what this host offers and what is missing
   vlibmaster services 1                       what domain 1 serves
   vlibmaster call 1 libm.so.6 cos --sig 'f64(f64)' 0.5
   vlibmaster call web vlib echo hello         built in: bytes in, bytes out
   vlibmaster call 1 vlib run -- uname -a      built in: run a command in the guest
   vlibmaster bench all --report out           measure this project's claims on this machine

On Xen, DOMAIN is a domain's number, name or UUID. On the native host, which needs
no Xen, it is the NAME of a 'vlib-server --transport native --name NAME' on this
machine. Users other than root may call the functions that the configuration of
'vlibmaster serve' allows them; their calls go through its sockets, as with
--host gateway.

`

// run is the program. It returns nil or an error for [message] and [exitCode].
//
// With --json an error is also an object on standard output, after the command's own
// output. A command whose object contains the error marks it with [reported].
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

// asksJSON reports whether --json is given. The line may be wrong otherwise.
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
		// The caller reports errors and turns them into an exit code.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usagef("%w", err) },
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "host", Value: directory.Auto, EnvVars: []string{"VLIBOS_HOST"}, Usage: "`HOST` of the domains: auto, xen, native, or gateway (through 'vlibmaster serve'); for serve, xen is module or stock"},
			&cli.StringFlag{Name: "native-dir", Value: native.DefaultRoot, EnvVars: []string{"VLIBOS_NATIVE_DIR"}, Usage: "`DIR` of the native domains"},
			&cli.StringFlag{Name: "native-cgroup", Value: host.DefaultParent, EnvVars: []string{"VLIBOS_NATIVE_CGROUP"}, Usage: "`CGROUP` whose children are the native domains: each such cgroup is a host with its own master"},
			&cli.BoolFlag{Name: "version", Usage: "the same as the command version"},
		},
		Before: func(c *cli.Context) error { _, err := chosen(c); return err },
		Action: func(c *cli.Context) error {
			if c.Bool("version") {
				return versionAction(c)
			}
			return cli.ShowAppHelp(c)
		},
		Commands:              groupedCommands(),
		Metadata:              map[string]any{"groups": groups},
		CustomAppHelpTemplate: strings.Replace(cli.AppHelpTemplate, `{{template "visibleCommandCategoryTemplate" .}}`, groupTemplate, 1),
	}
	for _, c := range app.Commands {
		c.OnUsageError = app.OnUsageError
		// An argument "help" is a domain's name.
		c.HideHelpCommand = true
	}
	return app
}

// The groups of commands, in the order in which --help lists them.
const (
	calls        = "Calls"
	reservations = "Reservations"
	thisHost     = "This host"
	measuring    = "Measuring"
	thisProgram  = "This program"
)

var groups = []string{calls, reservations, thisHost, measuring, thisProgram}

// groupTemplate lists commands by group. The template of package cli sorts groups
// by name; cli's own command help has no group and belongs to the last.
const groupTemplate = `{{range $group := .Metadata.groups}}

   {{$group}}{{range $.VisibleCommands}}{{if eq $group (or .Category "` + thisProgram + `")}}
     {{join .Names ", "}}{{"\t"}}{{.Usage}}{{end}}{{end}}{{end}}`

// categoryTemplate is the part of cli's templates that repeats the group in the help of
// each command.
const categoryTemplate = `{{if .Category}}

CATEGORY:
   {{.Category}}{{end}}`

func groupedCommands() (all []*cli.Command) {
	add := func(group string, commands ...*cli.Command) {
		for _, c := range commands {
			c.Category = group
			c.CustomHelpTemplate = cli.CommandHelpTemplate
			if len(c.Subcommands) > 0 {
				c.CustomHelpTemplate = cli.SubcommandHelpTemplate
			}
			c.CustomHelpTemplate = strings.Replace(c.CustomHelpTemplate, categoryTemplate, "", 1)
		}
		all = append(all, commands...)
	}
	add(calls, callCommand(), servicesCommand())
	add(reservations, adoptCommand(), releaseCommand(), psCommand(), describeCommand(), runCommand(), admitCommand())
	add(thisHost, doctorCommand(), selftestCommand(), serveCommand(), moduleCommand(), xapiCommand(), cgroupCommand())
	add(measuring, topCommand(), cacheCommand(), calibrateCommand(), calibrateLoadCommand())
	add(measuring, command.New(command.Config{Name: "bench", Program: "vlibmaster"})...)
	add(thisProgram, versionCommand(), completionCommand(), printCommand())
	add("", guardCommand(), selftestLoadCommand())
	return all
}

// chosen returns the host that the global flags choose.
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
		cfg.Host = directory.Xen // only the master treats the two differently
	}
	return cfg, nil
}

// callDir is the directory of a master's sockets for calls.
func callDir(runDir string) string {
	return filepath.Join(runDir, filepath.Base(directory.DefaultGatewayDir))
}

// noArguments returns an error if a command that takes no argument has one.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("%s takes no argument, got %q", c.Command.Name, c.Args().First())
	}
	return nil
}
