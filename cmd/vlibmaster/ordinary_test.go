// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/host/native"
)

// ordinary has a command line for each command: a complete one, that begins to
// do what the command does. Those of which it is said need root where domains are
// cgroups.
var ordinary = map[string]struct {
	args string
	root bool
}{
	"adopt":          {args: "adopt x --budget 1ms --period 10ms"},
	"admit":          {args: "admit --dry-run /dev/null"},
	"bench":          {args: "bench all --quick"},
	"bench-child":    {args: "bench-child client"},
	"cache":          {args: "cache"},
	"cache show":     {args: "cache show"},
	"calibrate":      {args: "calibrate --load-cpus 0"},
	"calibrate-load": {args: "calibrate-load 0"},
	"call":           {args: "call x libm.so.6 cos --sig f64(f64) 0.5"},
	"cgroup":         {args: "cgroup"},
	"cgroup run":     {args: "cgroup run x -- true", root: true},
	"cgroup remove":  {args: "cgroup remove x", root: true},
	"completion":     {args: "completion bash"},
	"describe":       {args: "describe x"},
	"doctor":         {args: "doctor"},
	"guard":          {args: "guard native vlibos"},
	"module":         {args: "module"},
	"module load":    {args: "module load"},
	"module unload":  {args: "module unload"},
	"module status":  {args: "module status"},
	"print":          {args: "print vlibmaster.8"},
	"ps":             {args: "ps"},
	"release":        {args: "release x"},
	"run":            {args: "run --budget 1ms --period 10ms --calls x -- true"},
	"selftest":       {args: "selftest", root: true},
	"selftest-load":  {args: "selftest-load nothing"},
	"serve":          {args: "serve", root: true},
	"services":       {args: "services x"},
	"top":            {args: "top -b -n 1"},
	"version":        {args: "version"},
	"xapi":           {args: "xapi"},
	"xapi status":    {args: "xapi status"},
	"xapi hook":      {args: "xapi hook vm-pre-start -vmuuid x -reason none"},
}

// allCommands names every command of an app, subcommands by their whole name.
func allCommands(prefix string, commands []*cli.Command) (names []string) {
	for _, c := range commands {
		if c.Name == "help" {
			continue
		}
		names = append(names, prefix+c.Name)
		names = append(names, allCommands(prefix+c.Name+" ", c.Subcommands)...)
	}
	return names
}

// traceback is how the Go runtime begins to say what goroutines were at.
var traceback = regexp.MustCompile(`(?m)^(panic: |fatal error: |goroutine \d+ \[)`)

// An ordinary user can run every command, on every host: none panics, and
// what needs root says so.
func TestOrdinaryUsersGetNoPanic(t *testing.T) {
	dir := t.TempDir()
	for path := dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cgroups := false
	if p, err := native.Open(native.Options{}); err == nil {
		cgroups = true
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	names := allCommands("", newApp(strings.NewReader(""), io.Discard, io.Discard).Commands)
	for _, host := range []string{"native", "xen", "stock", "auto", "gateway"} {
		for _, name := range names {
			line, known := ordinary[name]
			if !known {
				t.Errorf("%q has no command line here", name)
				continue
			}
			t.Run(host+" "+name, func(t *testing.T) {
				t.Parallel()
				denied := line.root && cgroups && host == "native"
				state, said := asOrdinary(t, dir, !denied, append([]string{"--host", host}, strings.Fields(line.args)...))
				how := state.Sys().(syscall.WaitStatus)
				if traceback.MatchString(said) || how.Signaled() && how.Signal() != syscall.SIGINT {
					t.Errorf("%v:\n%s", state, said)
				}
				if denied && (state.ExitCode() != exitDenied.code || !strings.Contains(said, "run as root")) {
					t.Errorf("%v, want status %d, and to be told how: %s", state, exitDenied.code, said)
				}
			})
		}
	}
}

// begun is what a command has to come to what it needs the host for, before
// it is interrupted.
const begun = 300 * time.Millisecond

// asOrdinary runs vlibmaster as the user nobody or, if the test does not run as
// root, as the test's own user, until it ends or, where that may take long, is interrupted.
func asOrdinary(t *testing.T, dir string, long bool, args []string) (state *os.ProcessState, said string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "/proc/self/exe")
	c.Args = append([]string{"vlibmaster"}, args...)
	c.Dir = "/"
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "VLIBOS_RUN_DIR=" + filepath.Join(dir, "run"), "VLIBOS_NATIVE_DIR=" + dir}
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var b bytes.Buffer
	c.Stdout, c.Stderr = &b, &b
	c.WaitDelay = time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if long {
		interrupt := time.AfterFunc(begun, func() { c.Process.Signal(os.Interrupt) })
		defer interrupt.Stop()
	}
	err := c.Wait()
	if ee := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ee) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatal(err)
	}
	return c.ProcessState, b.String()
}
