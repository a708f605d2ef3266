// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/vlibos/vlibos/lab/labproto"
)

// Exit statuses with which a shell reports a command that it could not start.
const (
	statusNotExecutable = 126
	statusNotFound      = 127
	statusSignal        = 128
)

// outputGrace is how long to wait for output after a command has ended, because
// its children may have its output open.
const outputGrace = time.Second

// run runs the job's command and returns its exit status. The command's output has
// been sent when run returns. An error is one of the connection to the host.
func (h *hostConn) run(job *labproto.Job) (int, error) {
	env := append(environment[:len(environment):len(environment)], job.Env...)
	path, err := lookPath(job.Args[0])
	if err != nil {
		status := statusNotExecutable
		if errors.Is(err, fs.ErrNotExist) {
			status = statusNotFound
		}
		_, err := fmt.Fprintf(h.Writer(labproto.KindStderr), "vliblab: run in Dom0: %v\n", err)
		return status, err
	}
	cmd := &exec.Cmd{Path: path, Args: job.Args, Env: env, Dir: "/root", WaitDelay: outputGrace}
	if job.TTY != nil {
		err = h.runTerminal(cmd, *job.TTY)
	} else {
		err = h.runPipes(cmd, job.Stdin)
	}
	var start *startError
	if errors.As(err, &start) {
		_, err := fmt.Fprintf(h.Writer(labproto.KindStderr), "vliblab: run in Dom0: %v\n", start.err)
		return statusNotExecutable, err
	}
	if cmd.ProcessState == nil {
		return 0, err
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return statusSignal + int(ws.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// startError says that a command could not be started.
type startError struct{ err error }

func (e *startError) Error() string { return e.err.Error() }

func (h *hostConn) runPipes(cmd *exec.Cmd, stdin bool) error {
	cmd.Stdout, cmd.Stderr = h.Writer(labproto.KindStdout), h.Writer(labproto.KindStderr)
	var in io.WriteCloser
	if stdin {
		var err error
		if in, err = cmd.StdinPipe(); err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return &startError{err}
	}
	if stdin {
		go h.feed(in, nil)
	}
	return cmd.Wait()
}

// feed passes the host's input to the command until the host ends it. It runs as
// long as the machine: a Receive cannot be interrupted.
func (h *hostConn) feed(in io.WriteCloser, resize func(labproto.Window)) {
	open := true
	for {
		f, err := h.Receive()
		if err != nil {
			in.Close()
			return
		}
		switch f.Kind {
		case labproto.KindStdin:
			// It is no error if the command does not read: the rest is dropped.
			if open {
				if _, err := in.Write(f.Payload); err != nil {
					open = false
				}
			}
		case labproto.KindStdinEOF:
			open = false
			in.Close()
		case labproto.KindResize:
			var w labproto.Window
			if resize != nil && f.Decode(&w) == nil {
				resize(w)
			}
		}
	}
}

// lookPath finds a program in the PATH that the program itself will have.
func lookPath(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	paths, _ := strings.CutPrefix(environment[0], "PATH=")
	var found error
	for dir := range strings.SplitSeq(paths, ":") {
		file := dir + "/" + name
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			found = err
		}
	}
	if found != nil {
		return "", found
	}
	return "", fmt.Errorf("%s: %w in %s: add it with --add HOST:GUEST", name, fs.ErrNotExist, paths)
}

func executable(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s: %w", name, fs.ErrPermission)
	}
	return nil
}
