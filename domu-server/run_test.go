// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

func runOver(t *testing.T, c *vlibcall.Channel, command builtin.Command) (builtin.Outcome, error) {
	t.Helper()
	b, err := command.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var o builtin.Outcome
	out, err := c.Call(ctx, builtin.Library, builtin.Run, b, nil)
	if err == nil {
		err = o.Decode(out)
	}
	return o, err
}

func (v *vlib) shell(script string) builtin.Outcome {
	v.Helper()
	o, err := runOver(v.T, v.Channel, builtin.Command{Argv: []string{"sh", "-c", script}})
	if err != nil {
		v.Fatalf("%s: %v", script, err)
	}
	return o
}

func TestRunReturnsHowTheCommandEnded(t *testing.T) {
	v := serve(t, Options{})
	for _, tt := range []struct {
		script         string
		status, signal int
		stdout, stderr string
	}{
		{"true", 0, 0, "", ""},
		{"echo out; echo err >&2; exit 3", 3, 0, "out\n", "err\n"},
		{"echo out; kill -9 $$", 0, 9, "out\n", ""},
		{"cat", 0, 0, "", ""},
	} {
		o := v.shell(tt.script)
		if o.ExitStatus != tt.status || o.Signal != tt.signal || string(o.Stdout) != tt.stdout || string(o.Stderr) != tt.stderr ||
			o.TimedOut || o.StdoutTruncated || o.StderrTruncated {
			t.Errorf("%s: %+v", tt.script, o)
		}
	}
}

func TestRunTakesInputAndEnvironment(t *testing.T) {
	t.Setenv("FROM_SERVER", "1")
	v := serve(t, Options{})
	input := bytes.Repeat([]byte("0123456789abcdef"), 1<<13)
	o, err := runOver(t, v.Channel, builtin.Command{
		Argv:  []string{"sh", "-c", `echo "$FROM_SERVER $FROM_CLIENT $1"; cat`, "sh", "an argument"},
		Env:   []string{"FROM_CLIENT=2 3"},
		Stdin: input,
	})
	if want := "1 2 3 an argument\n" + string(input); err != nil || string(o.Stdout) != want {
		t.Errorf("%d bytes, %v", len(o.Stdout), err)
	}
	// A command that does not read its input does not fail.
	o, err = runOver(t, v.Channel, builtin.Command{Argv: []string{"true"}, Stdin: input})
	if err != nil || o.ExitStatus != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestRunRefusesCommandsThatCannotStart(t *testing.T) {
	v := serve(t, Options{})
	_, err := runOver(t, v.Channel, builtin.Command{Argv: []string{"no-such-program"}})
	fails(t, err, vlibcall.ErrFailed, `"no-such-program": executable file not found`)
	_, err = runOver(t, v.Channel, builtin.Command{Argv: []string{"/etc/passwd"}})
	fails(t, err, vlibcall.ErrFailed, "permission denied")
	_, err = v.Call(t.Context(), builtin.Library, builtin.Run, []byte("\x10\x00\x00\x00{}"), nil)
	fails(t, err, vlibcall.ErrBadRequest, "header of 16 bytes")
	if o := v.shell("exit 5"); o.ExitStatus != 5 {
		t.Errorf("afterwards: %+v", o)
	}
}

func TestRunBoundsOutput(t *testing.T) {
	v := serve(t, Options{MaxOutput: 5000})
	o := v.shell("yes 0123456 | head -c 1000000; echo short >&2; exit 4")
	if o.ExitStatus != 4 || !o.StdoutTruncated || string(o.Stdout) != strings.Repeat("0123456\n", 625) {
		t.Errorf("status %d, %d bytes, truncated %v", o.ExitStatus, len(o.Stdout), o.StdoutTruncated)
	}
	if o.StderrTruncated || string(o.Stderr) != "short\n" {
		t.Errorf("stderr %q, truncated %v", o.Stderr, o.StderrTruncated)
	}
	// Output of exactly the limit is not truncated.
	o = v.shell("head -c 5000 /dev/zero >&2")
	if o.StderrTruncated || len(o.Stderr) != 5000 {
		t.Errorf("%d bytes, truncated %v", len(o.Stderr), o.StderrTruncated)
	}
	// The client's channel limits the output, too.
	o, err := runOver(t, v.open(8192), builtin.Command{Argv: []string{"sh", "-c", "head -c 5000 /dev/zero; head -c 5000 /dev/zero >&2"}})
	if err != nil || !o.StdoutTruncated || !o.StderrTruncated || len(o.Stdout) != len(o.Stderr) || len(o.Stdout) < 1500 || len(o.Stdout) > 2048 {
		t.Errorf("%v: %d and %d bytes", err, len(o.Stdout), len(o.Stderr))
	}
}

func TestRunBoundsTime(t *testing.T) {
	v := serve(t, Options{MaxRunTime: 300 * time.Millisecond, MaxOutput: 1000})
	for _, tt := range []struct {
		name    string
		command builtin.Command
		least   time.Duration
		stdout  int
	}{
		{"flood", builtin.Command{Argv: []string{"yes"}}, 300 * time.Millisecond, 1000},
		{"group", builtin.Command{Argv: []string{"sh", "-c", "sleep 1000 & echo $!; wait"}}, 300 * time.Millisecond, 0},
		{"ignores signals", builtin.Command{Argv: []string{"sh", "-c", "trap '' TERM INT HUP; sleep 1000; sleep 1000"}}, 300 * time.Millisecond, 0},
		{"asked for less", builtin.Command{Argv: []string{"sleep", "1000"}, Timeout: 50 * time.Millisecond}, 50 * time.Millisecond, 0},
		{"asked for more", builtin.Command{Argv: []string{"sleep", "1000"}, Timeout: time.Hour}, 300 * time.Millisecond, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begin := time.Now()
			o, err := runOver(t, v.Channel, tt.command)
			took := time.Since(begin)
			if err != nil || !o.TimedOut || o.Signal != int(syscall.SIGKILL) || took < tt.least || took > tt.least+5*time.Second {
				t.Errorf("%+v, %v, after %v", o, err, took)
			}
			if tt.stdout > 0 && (len(o.Stdout) != tt.stdout || !o.StdoutTruncated) {
				t.Errorf("%d bytes of output", len(o.Stdout))
			}
			if tt.name == "group" {
				pid, err := strconv.Atoi(strings.TrimSpace(string(o.Stdout)))
				if err != nil {
					t.Fatal(err)
				}
				testkit.Eventually(t, "the background process is dead", func() bool { return dead(pid) })
			}
		})
	}
	if n := len(children()); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}

func TestRunLeavesNothingInTheBackground(t *testing.T) {
	v := serve(t, Options{})
	begin := time.Now()
	o := v.shell("sleep 1000 & echo $!")
	pid, err := strconv.Atoi(strings.TrimSpace(string(o.Stdout)))
	if err != nil || o.Signal != 0 || time.Since(begin) > 5*time.Second {
		t.Fatalf("%+v, %v", o, err)
	}
	testkit.Eventually(t, "the background process is dead", func() bool { return dead(pid) })

	// A process that leaves the group keeps the pipes, but does not delay the call.
	fifo := filepath.Join(t.TempDir(), "pid")
	o = v.shell("mkfifo " + fifo + "; setsid sh -c 'echo $$ >" + fifo + "; exec sleep 1000' & read pid <" + fifo + "; echo $pid")
	if pid, err = strconv.Atoi(strings.TrimSpace(string(o.Stdout))); err != nil {
		t.Fatal(err)
	}
	if dead(pid) {
		t.Error("a process of another group was killed")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func TestRunEndsWithItsClient(t *testing.T) {
	v := serve(t, Options{})
	b, err := (&builtin.Command{Argv: []string{"sleep", "1000"}}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p := v.Go(ctx, builtin.Library, builtin.Run, b, nil)
	testkit.Eventually(t, "the command runs", func() bool { return len(children()) == 1 })
	cancel()
	if _, err := p.Result(); !errors.Is(err, vlibcall.ErrTimeout) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	testkit.Eventually(t, "the command is dead", func() bool { return len(children()) == 0 })
	if o := v.shell("exit 5"); o.ExitStatus != 5 {
		t.Errorf("afterwards: %+v", o)
	}
}

func TestRunLeaksNothing(t *testing.T) {
	v := serve(t, Options{})
	v.shell("true")
	before := len(testkit.Descriptors())
	for range 50 {
		v.shell("echo a; echo b >&2")
	}
	testkit.Eventually(t, "descriptors are closed", func() bool { return len(testkit.Descriptors()) <= before })
	if n := len(children()); n != 0 {
		t.Errorf("%d processes are left", n)
	}
}
