// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

// run serves the built-in function of that name. It returns when the command
// has ended, and with it the command's process group. A background process
// survives only if it has left that group, and with [Options.Sole] not even
// then.
func (s *Server) run(c *vlibcall.Call) error {
	var command builtin.Command
	if err := command.Decode(c.Input()); err != nil {
		return &vlibcall.StatusError{Status: vlibcall.StatusBadRequest, Detail: err.Error()}
	}
	limit := min(s.opts.MaxOutput, (c.Room()-builtin.MaxOutcomeOverhead)/2)
	stdout, stderr := head{limit: limit}, head{limit: limit}
	cmd := exec.Command(command.Argv[0], command.Argv[1:]...)
	cmd.Env = append(os.Environ(), command.Env...)
	if len(command.Stdin) > 0 {
		cmd.Stdin = bytes.NewReader(command.Stdin)
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr

	ctx := c.Context(s.ctx)
	timed, cancel := withLimit(ctx, earlier(command.Timeout, s.opts.MaxRunTime))
	defer cancel()
	p, err := startProcess(cmd)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(timed, p.kill)
	status, err := p.wait()
	stop()
	if ctx.Err() != nil {
		return s.cancelled()
	}
	if err != nil {
		return err
	}
	outcome := builtin.Outcome{
		TimedOut: status.Signaled() && timed.Err() != nil,
		Stdout:   stdout.stored, StdoutTruncated: stdout.truncated,
		Stderr: stderr.stored, StderrTruncated: stderr.truncated,
	}
	if status.Signaled() {
		outcome.Signal = int(status.Signal())
	} else {
		outcome.ExitStatus = status.ExitStatus()
	}
	b, err := outcome.Append(nil)
	if err != nil {
		return err
	}
	return c.Reply(b)
}

// withLimit is context.WithTimeout, but 0 means no limit.
func withLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// earlier returns the smaller of two limits; 0 means no limit.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
