// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/vlibos/vlibos/lab"
)

// program runs the command. No test boots anything.
func program(args ...string) (stdout, stderr string, err error) {
	var out, errOut bytes.Buffer
	err = run(context.Background(), append([]string{"vliblab"}, args...), strings.NewReader(""), &out, &errOut)
	return out.String(), errOut.String(), err
}

func TestHelpHasCommandsAndExitStatuses(t *testing.T) {
	out, _, err := program("--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"EXIT STATUS", "124", "125", "run", "shell", "setup", "VLIBOS_CACHE"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in the help", want)
		}
	}
	if out, _, err = program("run", "--help"); err != nil || !strings.Contains(out, "--domu-gntalloc-limit") || !strings.Contains(out, "-- CMD") {
		t.Errorf("help of run: %v\n%s", err, out)
	}
}

func TestWrongCommandLineHasItsOwnStatus(t *testing.T) {
	for want, args := range map[string][]string{
		"no command to run":        {"run", "--domus", "2"},
		"flag provided":            {"run", "--no-such-flag", "--", "x"},
		"--pcpus 0":                {"run", "--pcpus", "0", "--", "x"},
		"want HOST:GUEST":          {"run", "--add", "x", "--", "x"},
		"--domu-add":               {"run", "--domu-add", "a:b", "--", "x"},
		"unknown command \"boot\"": {"boot"},
		"setup takes no":           {"setup", "now"},
		"hypervisor takes no":      {"hypervisor", "now"},
		"not a terminal":           {"shell"},
		"invalid value":            {"run", "--timeout", "soon", "--", "x"},
		"mode \"fast\"":            {"run", "-q", "--mode", "fast", "--", "x"},
		"unknown hypervisor":       {"run", "-q", "--xen", "fast", "--", "x"},
	} {
		_, _, err := program(args...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
		if got := status(err); err != nil && got != statusUsage {
			t.Errorf("%q: status %d, want %d", args, got, statusUsage)
		}
	}
}

func TestStatusTellsTheLabsFailuresApart(t *testing.T) {
	failed := func(err error) error { return &lab.Error{Awaited: "x", Err: err, Console: []string{"last words"}} }
	for _, test := range []struct {
		err     error
		status  int
		message string
	}{
		{nil, 0, ""},
		{commandStatus(42), 42, ""},
		{usagef("wrong"), 2, "vliblab: wrong"},
		{failed(fmt.Errorf("%w after 1s", lab.ErrTimeout)), 124, "last words"},
		{failed(errors.New("dead")), 125, "last words"},
		{errors.New("no cache"), 125, "no cache"},
		{failed(context.Canceled), 130, "vliblab: context canceled"},
		{failed(fmt.Errorf("%w: %w", context.Canceled, errLeft)), 130, "vliblab: left with ctrl-]"},
	} {
		if got := status(test.err); got != test.status {
			t.Errorf("%v: status %d, want %d", test.err, got, test.status)
		}
		got := message(test.err)
		if !strings.Contains(got, test.message) || (got == "") != (test.message == "") {
			t.Errorf("%v: message %q, want %q", test.err, got, test.message)
		}
	}
}

func TestJSONIsTheLastLine(t *testing.T) {
	for written, want := range map[string]string{"": "{", "a\n": "a\n{", "a": "a\n{"} {
		var b bytes.Buffer
		out := &lineEnd{Writer: &b}
		fmt.Fprint(out, written)
		if err := printResult(out, lab.Result{Status: 3}, nil); err != nil {
			t.Fatal(err)
		}
		if got := b.String(); !strings.HasPrefix(got, want+`"status":3,`) || !strings.HasSuffix(got, "}\n") {
			t.Errorf("after %q: %q", written, got)
		}
	}
	var b bytes.Buffer
	if err := printResult(&lineEnd{Writer: &b}, lab.Result{}, &lab.Error{Awaited: "Dom0", Err: errors.New("dead")}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); !strings.Contains(got, `"status":125,"error":"dead (awaited: Dom0)"`) {
		t.Errorf("failure: %s", got)
	}
}

func TestProgressIsALineForEachStage(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, false, false)
	p.set("one")
	fmt.Fprint(p, "two\n\n")
	p.Close()
	if got, want := b.String(), "vliblab:   0s one\nvliblab:   0s two\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Reset()
	p = newProgress(&b, true, false)
	p.set("one")
	p.Close()
	if b.Len() > 0 {
		t.Errorf("quiet: %q", b.String())
	}
}

func TestNoteStaysOnATerminal(t *testing.T) {
	host, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	p := newProgress(terminal, false, false)
	p.set("resuming")
	p.note("the saved machine is damaged")
	p.set("booting")
	p.Close()
	terminal.Close()
	got, _ := io.ReadAll(host) // ends with EIO: no process has the terminal open
	if want := "\x1b[Kvliblab: the saved machine is damaged\r\n"; !strings.Contains(string(got), want) {
		t.Errorf("got %q, want %q in it", got, want)
	}
}
