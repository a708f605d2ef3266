// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/signature"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// bin holds vlib-server and vlib-worker.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "vlib-server")
	if err == nil {
		bin = dir
		cmd := exec.Command("go", "build", "-o", bin, ".", "../vlib-worker")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	status := testkit.Run(m)
	os.RemoveAll(dir)
	os.Exit(status)
}

// A guest's initramfs has no libc for the server; the worker needs one.
func TestServerIsStaticAndWorkerIsNot(t *testing.T) {
	for name, dynamic := range map[string]bool{"vlib-server": false, "vlib-worker": true} {
		f, err := elf.Open(filepath.Join(bin, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		has := false
		for _, p := range f.Progs {
			has = has || p.Type == elf.PT_INTERP
		}
		if has != dynamic {
			t.Errorf("%s: has a dynamic linker: %v", name, has)
		}
	}
}

// running is a server process.
type running struct {
	*testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	dir   string
	*vlibcall.Channel
}

func start(t *testing.T, args ...string) *running {
	t.Helper()
	root := t.TempDir()
	r := &running{T: t, dir: filepath.Join(root, "guest")}
	r.cmd = exec.Command(filepath.Join(bin, "vlib-server"), append([]string{"--transport", "native", "--native-dir", root, "--name", "guest"}, args...)...)
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.lines = bufio.NewScanner(stderr)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.cmd.Process.Kill()
		r.cmd.Wait() // fails if the test has waited already
	})
	r.logs("serves port 1 over transport native (" + r.dir + "/1.sock)")
	if r.Channel, err = vlibcall.Open(t.Context(), native.Domain(r.dir), vlibcall.Options{Size: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Channel.Close() })
	return r
}

// logs takes the next line of the server's log.
func (r *running) logs(want string) {
	r.Helper()
	if !r.lines.Scan() || !strings.HasPrefix(r.lines.Text(), "vlib-server: ") || !strings.Contains(r.lines.Text(), want) {
		r.Fatalf("logged %q, %v, want …%s…", r.lines.Text(), r.lines.Err(), want)
	}
}

// request is a request of a function with that signature.
func (r *running) request(sig string, words ...string) *signature.Request {
	r.Helper()
	s, err := signature.Parse(sig)
	if err != nil {
		r.Fatal(err)
	}
	req, err := signature.ParseValues(s, words, nil)
	if err != nil {
		r.Fatal(err)
	}
	return req
}

func (r *running) input(sig string, words ...string) []byte {
	r.Helper()
	input, err := r.request(sig, words...).Append(nil)
	if err != nil {
		r.Fatal(err)
	}
	return input
}

func (r *running) function(timeout time.Duration, library, function, sig string, words ...string) (*signature.Result, error) {
	r.Helper()
	req, input := r.request(sig, words...), r.input(sig, words...)
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	out, err := r.Channel.Call(ctx, library, function, input, nil)
	if err != nil {
		return nil, err
	}
	result := new(signature.Result)
	return result, result.Decode(out, req)
}

// worker calls getpid of libc in its worker.
func (r *running) worker() int {
	r.Helper()
	result, err := r.function(30*time.Second, "libc.so.6", "getpid", "i32()")
	if err != nil {
		r.Fatal(err)
	}
	return int(result.Value.Int())
}

func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("process %d is dead", pid), func() bool {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return errors.Is(err, os.ErrNotExist) || bytes.Contains(stat, []byte(") Z "))
	})
}

// awaitSleep waits until a thread of a process is in the C library's sleep.
func awaitSleep(t *testing.T, pid int) {
	t.Helper()
	sleeps := []byte(strconv.Itoa(unix.SYS_CLOCK_NANOSLEEP) + " ")
	testkit.Eventually(t, "the function sleeps", func() bool {
		threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/syscall")
		return slices.ContainsFunc(threads, func(file string) bool {
			call, _ := os.ReadFile(file) // it may have ended
			return bytes.HasPrefix(call, sleeps)
		})
	})
}

func TestServerCallsLibrariesAndStopsOnSIGTERM(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		r := start(t, "--max-run-time", "90s", "--libraries", "libm.so.6,libc.so.6", "--libraries", "/opt")
		result, err := r.function(30*time.Second, "libm.so.6", "cos", "f64(f64)", "0.5")
		if err != nil || fmt.Sprint(result.Value.Float64()) != "0.8775825618903728" {
			t.Errorf("%v, %v", result, err)
		}
		if _, err := r.function(30*time.Second, "libz.so.1", "zlibVersion", "str()"); !errors.Is(err, vlibcall.ErrDenied) {
			t.Error(err)
		}
		if _, err := r.function(30*time.Second, "libc.so.6", "abort", "void()"); !errors.Is(err, vlibcall.ErrCrashed) {
			t.Error(err)
		}
		r.logs(`"libc.so.6" abort crashed: killed by SIGABRT`)
		out, err := r.Channel.Call(t.Context(), builtin.Library, builtin.Services, nil, nil)
		var info builtin.Info
		if err == nil {
			err = info.Decode(out)
		}
		if err != nil || info.Limits.MaxRunTimeMS != 90_000 || info.Worker.Path != filepath.Join(bin, "vlib-worker") || info.Transport != "native" {
			t.Errorf("%+v, %v", info, err)
		}
		pid := r.worker()
		if err := r.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if rest := restOf(r.lines); rest != "" {
			t.Errorf("logged %q", rest)
		}
		if err := r.cmd.Wait(); err != nil {
			t.Errorf("after %v: %v", signal, err)
		}
		awaitDeath(t, pid)
	}
}

func restOf(s *bufio.Scanner) string {
	var all strings.Builder
	for s.Scan() {
		all.WriteString(s.Text() + "\n")
	}
	return all.String()
}

// A killed server leaves no worker, even if the worker hangs.
func TestKilledServerLeavesNoWorker(t *testing.T) {
	r := start(t)
	pid := r.worker()
	p := r.Go(t.Context(), "libc.so.6", "sleep", r.input("u32(u32)", "1000"), nil)
	awaitSleep(t, pid)
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Result(); !errors.Is(err, vlibcall.ErrGone) {
		t.Error(err)
	}
	awaitDeath(t, pid)
}

func TestWrongCommandLinesExitWithTwo(t *testing.T) {
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"extra", 2, `unexpected "extra"`},
		{"--no-such-flag", 2, "no-such-flag"},
		{"--port 4294967296", 2, "1 to 4294967295"},
		{"--transport tcp", 2, "auto, native, xen"},
		{"--libraries lib/x", 2, "want a soname"},
		{"--name a/b", 2, "name of a directory"},
		{"--transport native --native-dir /run --name " + strings.Repeat("a", 100), 2, "has 112 bytes, and 107 are allowed"},
		{"--max-run-time -1s", 2, "negative"},
		{"--max-workers 0", 2, "positive"},
		{"--transport native --native-dir /dev/null/x", 1, "--native-dir"},
	} {
		var stdout, stderr strings.Builder
		err := run(t.Context(), append([]string{"vlib-server"}, strings.Fields(tt.args)...), nil, &stdout, &stderr)
		if err == nil || !strings.Contains(err.Error(), tt.want) || status(err) != tt.status {
			t.Errorf("%s: status %d, %v, want %d, …%s…", tt.args, status(err), err, tt.status, tt.want)
		}
		if stdout.Len()+stderr.Len() > 0 {
			t.Errorf("%s: printed %q, %q", tt.args, stdout.String(), stderr.String())
		}
	}
}

func TestHelpAndVersionGoToStdout(t *testing.T) {
	for arg, want := range map[string]string{"--help": "--max-run-time", "--version": "channel revision 3"} {
		var stdout strings.Builder
		err := run(t.Context(), []string{"vlib-server", arg}, nil, &stdout, io.Discard)
		if err != nil || !strings.Contains(stdout.String(), want) {
			t.Errorf("%s: %v, %s", arg, err, stdout.String())
		}
	}
}
