// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/internal/testkit"
)

// TestMain also is vlibmaster, when a script runs it.
func TestMain(m *testing.M) {
	testscript.Main(leakTest{m}, map[string]func(){"vlibmaster": main})
}

type leakTest struct{ *testing.M }

func (l leakTest) Run() int {
	// Scripts wait for leases and for daemons to begin more than they compute.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil { // if the command line says nothing else
		panic(err)
	}
	return testkit.Run(l.M)
}

func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "github.com/vlibos/vlibos/cmd/vlib-server", "github.com/vlibos/vlibos/cmd/vlib-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("VLIBOS_NATIVE_DIR", filepath.Join(env.WorkDir, "run"))
			env.Setenv("VLIBOS_RUN_DIR", filepath.Join(env.WorkDir, "master"))
			env.Setenv("VLIBOS_HOST", "native")
			parent := fmt.Sprintf("vlibos-script-%d-%s", os.Getpid(), filepath.Base(env.WorkDir)) // each script is a host
			env.Setenv("VLIBOS_NATIVE_CGROUP", parent)
			env.Defer(func() { dissolve(env.T(), parent) })
			env.Setenv("PID", strconv.Itoa(os.Getpid())) // for names of cgroups, which are the machine's
			return os.Mkdir(filepath.Join(env.WorkDir, "run"), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server":     func(ts *testscript.TestScript, _ bool, args []string) { startServer(ts, bin, args) },
			"callee":     func(ts *testscript.TestScript, _ bool, args []string) { startCallee(ts, bin, args[0]) },
			"rogue":      func(ts *testscript.TestScript, _ bool, args []string) { startRogue(ts, args[0]) },
			"exits":      checkExit,
			"eventually": eventually,
			"freeport":   func(ts *testscript.TestScript, _ bool, args []string) { freePort(ts, args[0]) },
			"get":        get,
			"shows":      shows,
			"nothing":    nothing,
			"user":       asUser,
			// try COMMAND ARG… runs what may fail.
			"try": func(ts *testscript.TestScript, _ bool, args []string) { ts.Exec(args[0], args[1:]...) },
		},
		Condition: func(name string) (bool, error) {
			if name != "cgroups" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			p, err := native.Open(native.Options{})
			if err != nil {
				return false, nil // what they test is not there
			}
			return true, p.Close()
		},
	})
}

// dissolve removes a script's host, if it made one. What its last master's guard
// still undoes keeps it for a moment.
func dissolve(t testscript.T, parent string) {
	made, err := filepath.Glob("/sys/fs/cgroup/*/" + parent)
	if err != nil || len(made) == 0 {
		if made, err = filepath.Glob("/sys/fs/cgroup/" + parent); err != nil || len(made) == 0 {
			return
		}
	}
	p, err := native.Open(native.Options{Parent: parent})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Holds(func() bool { err = p.Dissolve(); return err == nil })
	if err := errors.Join(err, p.Close()); err != nil {
		t.Fatal(fmt.Sprintf("removing %s: %v", parent, err))
	}
}

// eventually COMMAND ARG… runs a command until it succeeds.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	var err error
	if !testkit.Holds(func() bool { err = ts.Exec(args[0], args[1:]...); return err == nil }) {
		ts.Fatalf("%v: %v", args, err)
	}
}

// checkExit: exits CODE vlibmaster ARG… runs a command that has to end with that code.
func checkExit(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if ee := (*exec.ExitError)(nil); errors.As(err, &ee) {
		got = ee.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// startServer NAME [FLAG…] runs the real server until the script ends.
func startServer(ts *testscript.TestScript, bin string, args []string) {
	cmd := exec.Command(filepath.Join(bin, "vlib-server"),
		append([]string{"--transport", "native", "--name", args[0], "--native-dir", ts.Getenv("VLIBOS_NATIVE_DIR")}, args[1:]...)...)
	startServing(ts, cmd, func() {})
}

// startCallee NAME runs the real server in a cgroup of its own, as 'vlibmaster
// cgroup run' has it.
func startCallee(ts *testscript.TestScript, bin, name string) {
	cmd := exec.Command("sh", "-c", `read line; exec "$0" "$@"`, filepath.Join(bin, "vlib-server"),
		"--transport", "native", "--name", name, "--native-dir", ts.Getenv("VLIBOS_NATIVE_DIR"))
	in, err := cmd.StdinPipe()
	ts.Check(err)
	p, err := native.Open(native.Options{Parent: ts.Getenv("VLIBOS_NATIVE_CGROUP")})
	ts.Check(err)
	ts.Defer(func() {
		if err := errors.Join(p.Remove(context.Background(), name), p.Close()); err != nil {
			ts.Logf("%v", err)
		}
	})
	startServing(ts, cmd, func() {
		ts.Check(p.Create(name, cmd.Process.Pid))
		_, err := fmt.Fprintln(in)
		ts.Check(err)
	})
}

// startServing starts a server and waits until it serves.
func startServing(ts *testscript.TestScript, cmd *exec.Cmd, started func()) {
	said := new(testkit.Text)
	cmd.Stderr = said
	ts.Check(cmd.Start())
	ts.Defer(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			ts.Logf("vlib-server: %v\n%s", err, said)
		}
	})
	started()
	if !testkit.Holds(func() bool { return said.Count(" serves port ") > 0 }) {
		ts.Fatalf("vlib-server does not serve: %s", said)
	}
}
