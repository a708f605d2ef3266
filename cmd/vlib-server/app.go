// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"runtime"
	"strings"

	"github.com/urfave/cli/v2"

	domuserver "github.com/vlibos/vlibos/domu-server"
	"github.com/vlibos/vlibos/internal/unixpath"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

const description = `vlib-server runs in a guest and serves one port of it: it calls functions of
the guest's shared libraries, runs commands, and echoes. Each library is loaded
in a process of its own, vlib-worker, so that a crash in it ends one call only.
What a library or a command leaves running ends with its worker or the command.

   vlib-server
   vlib-server --libraries /opt/algorithms --max-run-time 5s
   vlib-server --libraries none,/opt/algorithms      # only these, and no commands
   vlib-server --libraries none --run                # commands alone
   vlib-server --transport native --name demo        # without Xen

It serves until SIGTERM or SIGINT, ends what is running, and exits.

EXIT STATUS
   0    it was told to stop
   1    it could not listen, or its transport failed
   2    the command line is wrong`

// usageError is a wrong command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// status is the exit status of an error.
func status(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	}
	return 1
}

// run is the program. It returns when ctx is done.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	return newApp(stdin, stdout, stderr).RunContext(ctx, args)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:            "vlib-server",
		Usage:           "makes this domain a vLib OS",
		Description:     description,
		Reader:          stdin,
		Writer:          stdout,
		ErrWriter:       stderr,
		HideHelpCommand: true,
		Version:         fmt.Sprintf("%s, channel revision %d", version(), transport.Revision),
		Flags:           flags(),
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
		Action:          serve,
	}
}

func serve(c *cli.Context) error {
	if c.Bool("man") {
		return page(c.App).Write(c.App.Writer)
	}
	if c.Args().Present() {
		return usagef("unexpected %q: see vlib-server --help", c.Args().First())
	}
	opts, err := options(c)
	if err != nil {
		return err
	}
	// A blocked system call keeps its P until the runtime's monitor takes it
	// away, up to 10 ms later. With one P the rest of the program (the watch
	// for cancelled calls, the reader of a worker's stderr) would wait that
	// long. So a guest with one vCPU gets two Ps; an idle P costs nothing.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	opts.Log = log.New(c.App.ErrWriter, "vlib-server: ", 0)
	for {
		l, where, err := listen(c, opts)
		if err != nil {
			return err
		}
		opts.Log.Printf("version %s serves port %d over transport %s (%s)", opts.Version, opts.Port, opts.Transport, where)
		err = domuserver.New(l, opts).Serve(c.Context)
		if !errors.Is(err, transport.ErrRestored) {
			return err
		}
		opts.Log.Printf("%v", err)
	}
}

// listen opens the transport that opts name. where describes it for people.
func listen(c *cli.Context, opts domuserver.Options) (l transport.Listener, where string, err error) {
	t := transports[opts.Transport]
	if l, where, err = t(c, opts); errors.Is(err, unixpath.ErrTooLong) {
		return nil, "", usagef("--name and --native-dir: %w", err)
	} else if err != nil {
		return nil, "", fmt.Errorf("listen on port %d over transport %s: %w", opts.Port, opts.Transport, err)
	}
	return l, where, nil
}

func port(c *cli.Context) (transport.Port, error) {
	p := c.Uint64("port")
	if p == 0 || p > math.MaxUint32 {
		return 0, usagef("--port %d: want 1 to %d", p, uint32(math.MaxUint32))
	}
	return transport.Port(p), nil
}

// entries splits the values of a repeated flag at commas.
func entries(values []string) []string {
	var all []string
	for _, v := range values {
		for e := range strings.SplitSeq(v, ",") {
			all = append(all, strings.TrimSpace(e))
		}
	}
	return all
}
