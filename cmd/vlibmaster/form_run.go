// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/signature"
)

// runForm runs a command in the guest.
type runForm struct {
	program string
	encoded []byte
	outcome builtin.Outcome
}

// runRoom is the room for the command's output and errors.
const runRoom = 1 << 20

func newRunForm(o *callOptions, stdin io.Reader) (form, error) {
	if len(o.args) == 0 {
		return nil, usagef("%s %s needs a command: vlibmaster call DOMAIN %s %s -- CMD [ARG…]", builtin.Library, builtin.Run, builtin.Library, builtin.Run)
	}
	command := builtin.Command{Argv: o.args, Env: o.env, Timeout: commandTime(o.timeout)}
	if o.stdin {
		b, err := signature.Files(stdin)("-", signature.MaxSize)
		if err != nil {
			return nil, argument(err)
		}
		command.Stdin = b
	}
	encoded, err := command.Append(nil)
	if err != nil {
		return nil, argument(err)
	}
	return &runForm{program: o.args[0], encoded: encoded}, nil
}

// commandTime leaves time to bring back what a command that is killed has
// written.
func commandTime(limit time.Duration) time.Duration {
	return limit - min(limit/10, time.Second)
}

func (f *runForm) input() []byte { return f.encoded }
func (f *runForm) room() int     { return runRoom }
func (f *runForm) buffers() int  { return 1 }

func (f *runForm) check(output []byte) error {
	if err := f.outcome.Decode(output); err != nil {
		return protocolViolation(err)
	}
	return f.failure()
}

// failure says why the command did not succeed, nil if it did.
func (f *runForm) failure() error {
	what := fmt.Sprintf("the command %.80q", f.program)
	switch o := &f.outcome; {
	case o.TimedOut:
		return fmt.Errorf("%s was killed: %w", what, vlibcall.ErrTimeout)
	case o.Signal != 0:
		return fmt.Errorf("%s ended by signal %d: %w", what, o.Signal, vlibcall.ErrFailed)
	case o.ExitStatus != 0:
		return fmt.Errorf("%s ended with status %d: %w", what, o.ExitStatus, vlibcall.ErrFailed)
	}
	return nil
}

func (f *runForm) answer(output []byte) (answer, error) {
	if err := f.check(output); errors.Is(err, vlibcall.ErrProtocol) {
		return answer{}, err
	}
	o := &f.outcome
	return answer{
		buffers: [][]byte{o.Stdout},
		fields:  outcomeFields{o},
		failed:  f.failure(),
		show: func(stdout, stderr io.Writer, saved int) error {
			if saved == 0 {
				if err := writeGuest(stdout, o.Stdout); err != nil {
					return err
				}
			}
			if err := writeGuest(stderr, o.Stderr); err != nil {
				return err
			}
			if o.StdoutTruncated || o.StderrTruncated {
				_, err := fmt.Fprintln(stderr, "vlibmaster: the output was cut off: it is longer than the server or the channel (--size) takes")
				return err
			}
			return nil
		},
	}, nil
}

type outcomeFields struct{ *builtin.Outcome }

func (f outcomeFields) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ExitStatus      int       `json:"exit_status"`
		Signal          int       `json:"signal,omitempty"`
		TimedOut        bool      `json:"timed_out"`
		Stdout          bytesJSON `json:"stdout"`
		Stderr          bytesJSON `json:"stderr"`
		StdoutTruncated bool      `json:"stdout_truncated"`
		StderrTruncated bool      `json:"stderr_truncated"`
	}{f.ExitStatus, f.Signal, f.TimedOut, f.Stdout, f.Stderr, f.StdoutTruncated, f.StderrTruncated})
}
