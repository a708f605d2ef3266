// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/vlibos/vlibos/lab"
)

// escape is the key that ends the shell whatever the guest does: ctrl-], as in
// telnet. The guest gets all other keys.
const escape = 0x1d

var errLeft = errors.New("left with ctrl-]")

func shellCommand() *cli.Command {
	return &cli.Command{
		Name:      "shell",
		Usage:     "boot, and work in Dom0 interactively",
		ArgsUsage: "[-- CMD [ARG…]]",
		Description: `Opens a terminal in Dom0, with the DomUs running: try 'xl list' and
'xl console vlib1'. The guest gets all keys, including ctrl-c. 'exit' ends the lab;
ctrl-] ends it whatever the guest does.`,
		Flags:  machineFlags(),
		Action: shellAction,
	}
}

func shellAction(c *cli.Context) error {
	cfg, err := config(c, "sh", "-l")
	if err != nil {
		return err
	}
	in, ok := c.App.Reader.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return usagef("standard input is not a terminal: use vliblab run")
	}
	fd := int(in.Fd())
	if t := os.Getenv("TERM"); t != "" {
		cfg.Env = append(cfg.Env, "TERM="+t)
	}
	cfg.Stdout, cfg.Stderr = c.App.Writer, c.App.ErrWriter
	size := windowSize(fd)
	cfg.TTY = &size
	resize := make(chan lab.Window, 1)
	cfg.Resize = resize
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	done := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-done:
				return
			case <-changed:
			}
			select {
			case <-done:
				return
			case resize <- windowSize(fd):
			}
		}
	}()
	defer func() {
		signal.Stop(changed)
		close(done)
		<-watched
	}()
	return shell(c, cfg, fd, in)
}

// shell runs the lab. The terminal is in raw mode from the start of the command on,
// so that ctrl-c works during the boot.
func shell(c *cli.Context, cfg lab.Config, fd int, in io.Reader) (err error) {
	ctx, leave := context.WithCancelCause(c.Context)
	defer leave(nil)
	c.Context = ctx
	keys := &keyboard{in: in, fd: fd, left: func() { leave(errLeft) }}
	cfg.Stdin = keys
	result, err := boot(c, cfg)
	if rerr := keys.restore(); err == nil {
		err = rerr
	}
	if err == nil && result.Status != 0 {
		err = commandStatus(result.Status)
	}
	return err
}

// keyboard reads a terminal. Its first Read, when the command runs, makes the terminal
// raw. The escape key ends the lab.
type keyboard struct {
	in   io.Reader
	fd   int
	left func()

	mu       sync.Mutex // a Read may happen after the run has ended
	old      *term.State
	restored bool
}

func (k *keyboard) Read(p []byte) (int, error) {
	if err := k.raw(); err != nil {
		return 0, err
	}
	n, err := k.in.Read(p)
	if bytes.IndexByte(p[:n], escape) >= 0 {
		k.left()
		return 0, io.EOF
	}
	return n, err
}

func (k *keyboard) raw() (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.restored {
		return io.EOF
	}
	if k.old == nil {
		k.old, err = term.MakeRaw(k.fd)
	}
	return err
}

// restore restores the terminal's original mode. No Read changes it after that.
func (k *keyboard) restore() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.restored = true
	if k.old == nil {
		return nil
	}
	return term.Restore(k.fd, k.old)
}

func windowSize(fd int) lab.Window {
	cols, rows, err := term.GetSize(fd)
	if err != nil {
		return lab.Window{Rows: 24, Cols: 80}
	}
	return lab.Window{Rows: uint16(rows), Cols: uint16(cols)}
}
