// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
)

// descendants are the processes below one, including zombies.
func descendants(pid int) (all []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, word := range strings.Fields(string(b)) {
			if child, err := strconv.Atoi(word); err == nil {
				all = append(append(all, child), descendants(child)...)
			}
		}
	}
	return all
}

// A library forks. Its child answers no call, each later call is executed once,
// and the processes that the library leaves behind end with its worker.
func TestForkingLibraryIsCalledOnceAndLeavesNothing(t *testing.T) {
	r := start(t)
	call := func(function, sig string, words ...string) int64 {
		t.Helper()
		result, err := r.function(30*time.Second, "libc.so.6", function, sig, words...)
		if err != nil {
			t.Fatalf("%s: %v", function, err)
		}
		return result.Value.Int()
	}
	worker := r.worker()
	for range 3 {
		if child := call("fork", "i32()"); child <= 0 || int(child) == worker {
			t.Fatalf("fork in process %d returned %d", worker, child)
		}
	}
	executed := filepath.Join(t.TempDir(), "executed")
	for range 50 {
		if status := call("system", "i32(str)", "echo >>"+executed); status != 0 {
			t.Fatalf("status %d", status)
		}
		if now := r.worker(); now != worker {
			t.Fatalf("process %d answered, the worker is %d", now, worker)
		}
	}
	if text, err := os.ReadFile(executed); err != nil || len(text) != 50 {
		t.Errorf("50 calls were executed %d times, %v", len(text), err)
	}

	// The first daemon is of a library whose worker lives; daemon(3) ends its
	// worker.
	said := filepath.Join(t.TempDir(), "pid")
	call("system", "i32(str)", "mkfifo "+said+"; (setsid sh -c 'echo $$ >"+said+"; exec sleep 1000' &); read pid <"+said+"; rm "+said+"; echo $pid >"+said)
	text, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || !slices.Contains(descendants(r.cmd.Process.Pid), daemon) {
		t.Fatalf("the daemon is %q, of %v", text, descendants(r.cmd.Process.Pid))
	}
	if _, err := r.function(30*time.Second, "libc.so.6", "daemon", "i32(i32,i32)", "1", "1"); !errors.Is(err, vlibcall.ErrCrashed) {
		t.Errorf("daemon: %v", err)
	}
	awaitDeath(t, daemon)
	// The answer comes when the worker has ended; its child may take a moment.
	testkit.Eventually(t, "no process is left", func() bool { return len(descendants(r.cmd.Process.Pid)) == 0 })
}

// Commands and libraries are allowed by the flags that name them, and by no
// other.
func TestNoneAllowsNoCommandUnlessToldTo(t *testing.T) {
	for _, tt := range []struct {
		flags   string
		command bool
		soname  bool
	}{
		{"", true, true},
		{"--libraries libc.so.6", true, true},
		{"--libraries none", false, false},
		{"--libraries none,/opt", false, false},
		{"--libraries none --run", true, false},
		{"--run=false", false, true},
		{"--run=false --run", true, true}, // a service with --run in its flags
	} {
		t.Run(tt.flags, func(t *testing.T) {
			r := start(t, strings.Fields(tt.flags)...)
			command, err := (&builtin.Command{Argv: []string{"id"}}).Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Channel.Call(t.Context(), builtin.Library, builtin.Run, command, nil)
			if tt.command != (err == nil) || !tt.command && (!errors.Is(err, vlibcall.ErrDenied) || !strings.Contains(err.Error(), "--run allows it")) {
				t.Errorf("a command: %v", err)
			}
			if _, err := r.function(30*time.Second, "libc.so.6", "getpid", "i32()"); tt.soname != (err == nil) || !tt.soname && !errors.Is(err, vlibcall.ErrDenied) {
				t.Errorf("a soname: %v", err)
			}
			out, err := r.Channel.Call(t.Context(), builtin.Library, builtin.Services, nil, nil)
			var info builtin.Info
			if err == nil {
				err = info.Decode(out)
			}
			listed := slices.Contains(info.Functions, builtin.Function{Library: builtin.Library, Function: builtin.Run})
			if err != nil || listed != tt.command {
				t.Errorf("services lists run: %v, %v", listed, err)
			}
		})
	}
}

// A missing worker program is not a failure of the function.
func TestMissingWorkerIsNotTheFunctionsFailure(t *testing.T) {
	r := start(t, "--worker", "/no/such/worker")
	_, err := r.function(30*time.Second, "libc.so.6", "getpid", "i32()")
	if errors.Is(err, vlibcall.ErrFailed) || !errors.Is(err, vlibcall.ErrNoLibrary) || !strings.Contains(err.Error(), "put vlib-worker beside vlib-server") {
		t.Errorf("%v", err)
	}
}
