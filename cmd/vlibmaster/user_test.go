// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vlibos/vlibos/internal/testkit"
)

// asUser implements the script command "user CODE PATTERN ARG…": it runs vlibmaster as
// user and group 65534 and compares its exit code and output. "user & NAME ARG…" starts
// vlibmaster, and "user CODE PATTERN = NAME" waits for it.
func asUser(ts *testscript.TestScript, _ bool, args []string) {
	if args[0] == "&" {
		r := startAsUser(ts, args[2:])
		ts.Defer(func() { r.Process.Kill() })
		userRuns[ts.Getenv("WORK")+args[1]] = r
		return
	}
	var r *userRun
	if args[2] == "=" {
		r = userRuns[ts.Getenv("WORK")+args[3]]
	} else {
		r = startAsUser(ts, args[2:])
	}
	err := r.Wait()
	if ee := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ee) {
		ts.Check(err)
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	if got := r.ProcessState.ExitCode(); got != want || !pattern.MatchString(r.said.String()) {
		ts.Fatalf("exit code %d, want %d and %q:\n%s", got, want, pattern, r.said.String())
	}
}

type userRun struct {
	*exec.Cmd
	said *testkit.Text
}

// userRuns are running. Each script uses its own names.
var userRuns = make(map[string]*userRun)

func startAsUser(ts *testscript.TestScript, args []string) *userRun {
	for path := ts.Getenv("VLIBOS_RUN_DIR"); path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		ts.Check(os.Chmod(path, 0o755))
	}
	r := &userRun{&exec.Cmd{Path: "/proc/self/exe", Args: append([]string{"vlibmaster"}, args...), Dir: "/"}, new(testkit.Text)}
	r.Env = []string{"PATH=" + ts.Getenv("PATH"), "VLIBOS_RUN_DIR=" + ts.Getenv("VLIBOS_RUN_DIR"), "VLIBOS_NATIVE_DIR=" + ts.Getenv("VLIBOS_NATIVE_DIR")}
	r.Stdout, r.Stderr = r.said, r.said
	r.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	ts.Check(r.Start())
	return r
}
