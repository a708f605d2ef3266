// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"

	"github.com/urfave/cli/v2"
)

const description = `vliblab boots Debian's own Xen in QEMU, without hardware virtualisation. It
starts DomUs in which this project's server runs, runs one command in Dom0, and
exits with the command's exit status. It saves the booted machine in the cache
folder; later runs with the same ingredients resume it.

   vliblab run -- xl list
   vliblab run --domus 2 --guest pvh -- vlibmaster services 1
   vliblab run --add ./mytest:/usr/bin/ -- mytest -test.v
   vliblab run --json --timeout 2m -- sh -c 'xl info; exit 3'
   vliblab run --mode counted --domus 1 -- vlibmaster call 1 libm.so.6 cos --sig 'f64(f64)' 0.5
   vliblab run --mode contended --bus-service 20us -- CMD
   vliblab run --xen vlib -- xl info
   vliblab run --release trixie -- xl info
   vliblab run --dom0-package fio -- fio --version
   vliblab shell

The first run sets the machine up, as 'vliblab setup' does: it installs QEMU from
the machine's package sources. Everything else is only downloaded, from the
release of Debian that --release names, whatever the machine's own is, to the
cache folder ($VLIBOS_CACHE, or vlibos in $XDG_CACHE_HOME or ~/.cache). --xen vlib
builds Xen with this project's module first, if necessary, as 'vliblab hypervisor'
does. --mode contended compiles a plugin of the emulator, and downloads QEMU's
source for it once.

EXIT STATUS
   that of the command in Dom0 (126: not executable, 127: not found,
   128+N: killed by signal N), or
   2    the command line is wrong
   3    vliblab hypervisor: the source of Xen is not available
   124  the time of --timeout ended
   125  the lab failed: it was not set up, did not boot, or died
   130  interrupted`

// run is the program. It returns nil, or an error that [status] and [message]
// explain.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	return newApp(stdin, stdout, stderr).RunContext(ctx, args)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                   "vliblab",
		Usage:                  "real Xen in QEMU, for tests and trials",
		Description:            description,
		Reader:                 stdin,
		Writer:                 stdout,
		ErrWriter:              stderr,
		HideVersion:            true,
		EnableBashCompletion:   true,
		UseShortOptionHandling: true,
		// The caller reports errors and turns them into a status.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("unknown command %q: see vliblab --help", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{runCommand(), shellCommand(), setupCommand(), hypervisorCommand(), livepatchCommand(), savedCommand()},
	}
	for _, c := range app.Commands {
		c.OnUsageError = app.OnUsageError
	}
	return app
}
