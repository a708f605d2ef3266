// SPDX-License-Identifier: Apache-2.0

package ffi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall/signature"
)

// child does what a worker does: signals, one call, the result on stdout.
func child(library, function, sig string, words []string) int {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fail(err)
	}
	if err := DefaultSignals(); err != nil {
		return fail(err)
	}
	s, err := signature.Parse(sig)
	if err != nil {
		return fail(err)
	}
	req, err := signature.ParseValues(s, words, nil)
	if err != nil {
		return fail(err)
	}
	l, err := Open(library)
	if err != nil {
		return fail(err)
	}
	fmt.Println("calling")
	dst := make([]byte, 4096)
	n, err := l.Call(function, req, dst)
	if err != nil {
		return fail(err)
	}
	var r signature.Result
	if err := r.Decode(dst[:n], req); err != nil {
		return fail(err)
	}
	if err := signature.Render(os.Stdout, &r); err != nil {
		return fail(err)
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 99
}

func childCommand(t *testing.T, function, sig string, words ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, append([]string{testLibrary, function, sig}, words...)...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	return cmd, &stdout, &stderr
}

// The parent sees how a library died, without a Go traceback.
func TestParentSeesHowALibraryDied(t *testing.T) {
	for _, tt := range []struct {
		function, sig, words string
		signal               syscall.Signal
		status               int
		want                 string // as os/exec reports it
	}{
		{"crash", "i32()", "", syscall.SIGSEGV, -1, "signal: segmentation fault"},
		{"crash_in_thread", "void()", "", syscall.SIGSEGV, -1, "signal: segmentation fault"},
		{"recurse", "i32(i32)", "1", syscall.SIGSEGV, -1, "signal: segmentation fault"},
		{"divide", "i32()", "", syscall.SIGFPE, -1, "signal: floating point exception"},
		{"illegal", "void()", "", syscall.SIGILL, -1, "signal: illegal instruction"},
		{"aborted", "void()", "", syscall.SIGABRT, -1, "signal: aborted"},
		{"leave", "void(i32)", "3", -1, 3, "exit status 3"},
		{"ints16", "i64(" + many("i64", 16) + ")", counting(16), -1, 0, ""},
	} {
		t.Run(tt.function, func(t *testing.T) {
			t.Parallel()
			cmd, stdout, stderr := childCommand(t, tt.function, tt.sig, strings.Fields(tt.words)...)
			err := cmd.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if status.Signaled() != (tt.signal > 0) || status.Signaled() && status.Signal() != tt.signal || status.ExitStatus() != tt.status {
				t.Errorf("ended with %v, want %s", cmd.ProcessState, tt.want)
			}
			if tt.want != "" && (err == nil || err.Error() != tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if stderr.Len() > 0 {
				t.Errorf("on stderr:\n%s", stderr)
			}
			want := "calling\n"
			if tt.want == "" {
				want += "1496\n"
			}
			if stdout.String() != want {
				t.Errorf("on stdout: %q, want %q", stdout, want)
			}
		})
	}
}

// The parent can end a function that does not return: the signals that the Go
// runtime handles do not prevent it.
func TestEndlessLoopCanBeKilled(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGQUIT} {
		cmd, _, stderr := childCommand(t, "loop", "void()")
		cmd.Stdout = nil
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, len("calling\n"))
		if _, err := io.ReadFull(stdout, line); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // from the announcement to the loop
		begin := time.Now()
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		if err == nil || err.Error() != "signal: "+signal.String() {
			t.Errorf("%v: ended with %v", signal, err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%v: took %v", signal, took)
		}
		if stderr.Len() > 0 {
			t.Errorf("%v: on stderr:\n%s", signal, stderr)
		}
	}
}
