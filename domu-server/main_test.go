// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/signature"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// built has the worker and the test libraries.
var built string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "domu")
	if err == nil {
		built = dir
		err = build()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	status := testkit.Run(m)
	os.RemoveAll(dir)
	if n := len(children()); status == 0 && n != 0 {
		fmt.Fprintln(os.Stderr, n, "processes are left")
		status = 1
	}
	os.Exit(status)
}

func build() error {
	commands := [][]string{
		{"go", "build", "-o", built + "/vlib-worker", "../cmd/vlib-worker"},
		{"gcc", "-O1", "-Wall", "-Werror", "-Wno-use-after-free", "-shared", "-fPIC", "-pthread", "-o", built + "/libtest.so", "testdata/library.c"},
		{"gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", built + "/libconstructor.so", "testdata/constructor.c"},
	}
	errs := make([]error, len(commands))
	var all sync.WaitGroup
	for i, args := range commands {
		all.Go(func() {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				errs[i] = fmt.Errorf("the tests need %s: %w\n%s", args[0], err, out)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// vlib is a server under test and a channel to it.
type vlib struct {
	*testing.T
	*vlibcall.Channel
	dir string
	log *testkit.Text
	end func() // stops the server, at the latest when the test ends
}

// serve starts a server that may also call the test libraries.
func serve(t *testing.T, opts Options, more ...func(*Server)) *vlib {
	t.Helper()
	dir, err := os.MkdirTemp(built, "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := native.Listen(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	v := &vlib{T: t, dir: dir, log: new(testkit.Text)}
	if opts.Worker == "" {
		opts.Worker = built + "/vlib-worker"
	}
	opts.Libraries.Directories = append(opts.Libraries.Directories, built)
	opts.Log = log.New(v.log, "", 0)
	s := New(l, opts)
	for _, f := range more {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	v.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(v.end)
	v.Channel = v.open(4 << 20)
	return v
}

func (v *vlib) open(size int) *vlibcall.Channel {
	v.Helper()
	c, err := vlibcall.Open(context.Background(), native.Domain(v.dir), vlibcall.Options{Size: size})
	if err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() { c.Close() })
	return c
}

// library is the path of a test library.
func library(name string) string { return filepath.Join(built, name) }

func request(t *testing.T, sig string, words ...string) *signature.Request {
	t.Helper()
	s, err := signature.Parse(sig)
	if err != nil {
		t.Fatal(err)
	}
	req, err := signature.ParseValues(s, words, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// invoke sends req over the whole path.
func invoke(ctx context.Context, c *vlibcall.Channel, library, function string, req *signature.Request) (*signature.Result, error) {
	b, err := req.Append(nil)
	if err != nil {
		return nil, err
	}
	out, err := c.Call(ctx, library, function, b, nil)
	if err != nil {
		return nil, err
	}
	r := new(signature.Result)
	return r, r.Decode(out, req)
}

// try calls a function of the test library.
func (v *vlib) try(function, sig string, words ...string) (*signature.Result, error) {
	v.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return invoke(ctx, v.Channel, library("libtest.so"), function, request(v.T, sig, words...))
}

// number is try for a function that returns an integer and succeeds.
func (v *vlib) number(function, sig string, words ...string) int64 {
	v.Helper()
	r, err := v.try(function, sig, words...)
	if err != nil {
		v.Fatalf("%s: %v", function, err)
	}
	return r.Value.Int()
}

// fails checks the error of a call.
func fails(t *testing.T, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%v: want …%s…", err, w)
		}
	}
}

func (v *vlib) services() builtin.Info {
	v.Helper()
	out, err := v.Call(context.Background(), builtin.Library, builtin.Services, nil, nil)
	if err != nil {
		v.Fatal(err)
	}
	var info builtin.Info
	if err := info.Decode(out); err != nil {
		v.Fatal(err)
	}
	return info
}

// children are the processes that this one has started, including zombies.
func children() []int {
	var pids []int
	files, _ := filepath.Glob("/proc/self/task/*/children")
	for _, f := range files {
		b, _ := os.ReadFile(f) // a thread may have ended
		for _, word := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// dead reports whether a process has ended, including a zombie.
func dead(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil && syscall.Kill(pid, 0) != nil || strings.Contains(string(stat), ") Z ")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func mustEncode(t *testing.T, sig string, words ...string) []byte {
	t.Helper()
	b, err := request(t, sig, words...).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
