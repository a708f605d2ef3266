// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// compile builds the tests of a package, and lists those that only exist with the
// build tag dom0.
func compile(t *testing.T, pkg string) (program string, tests []string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), strings.ReplaceAll(pkg, "/", "_")+".test")
	goTest(t, "-tags", "dom0", "-c", "-o", program, "./"+pkg)
	elsewhere := strings.Fields(goTest(t, "-list", ".", "./"+pkg))
	for _, name := range strings.Fields(goTest(t, "-tags", "dom0", "-list", ".", "./"+pkg)) {
		if strings.HasPrefix(name, "Test") && !slices.Contains(elsewhere, name) {
			tests = append(tests, name)
		}
	}
	return program, tests
}

func goTest(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"test"}, args...)...)
	cmd.Dir = ".."
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// inDom0 boots once and runs the packages' tests one after the other. Each test must
// report that it passed: the exit status could be that of a program that ran none, and
// a skipped test tests nothing.
func inDom0(t *testing.T, c lab.Config, pkgs ...string) {
	t.Helper()
	these(t, c, func(_, _ string) bool { return true }, pkgs...)
}

// these is inDom0 for the wanted tests of the packages.
func these(t *testing.T, c lab.Config, wanted func(pkg, test string) bool, pkgs ...string) {
	t.Helper()
	script := "status=0\n"
	want := make(map[string][]string)
	for _, pkg := range pkgs {
		program, tests := compile(t, pkg)
		tests = slices.DeleteFunc(tests, func(name string) bool { return !wanted(pkg, name) })
		if len(tests) == 0 {
			t.Fatalf("%s has no tests", pkg)
		}
		guest := "/tests/" + filepath.Base(program)
		c.Add = append(c.Add, lab.File{Host: program, Guest: guest})
		script += fmt.Sprintf("echo 'begin %s'; %s -test.v -test.timeout %v -test.run '^(%s)$' 2>&1 || status=1\n",
			pkg, guest, c.Timeout-c.Timeout/10, strings.Join(tests, "|"))
		want[pkg] = tests
	}
	c.Args = []string{"sh", "-c", script + "exit $status"}
	result, stdout, stderr := boot(t, c, true)
	passed := make(map[string][]string)
	var pkg string
	for sc := bufio.NewScanner(strings.NewReader(stdout)); sc.Scan(); {
		if name, ok := strings.CutPrefix(sc.Text(), "begin "); ok {
			pkg = name
		} else if name, ok := strings.CutPrefix(sc.Text(), "--- PASS: "); ok {
			passed[pkg] = append(passed[pkg], strings.Fields(name)[0])
		}
	}
	for _, pkg := range pkgs {
		for _, test := range want[pkg] {
			if !slices.Contains(passed[pkg], test) {
				t.Errorf("%s: %s did not pass", pkg, test)
			}
		}
		t.Logf("%s: %d of %d tests passed in Dom0", pkg, len(passed[pkg]), len(want[pkg]))
	}
	if result.Status != 0 {
		t.Errorf("a test program failed")
	}
	if stderr != "" {
		t.Logf("stderr:\n%s", stderr)
	}
}

func TestDevicesWorkInDom0(t *testing.T) {
	// The order matters: the last two destroy a DomU each.
	inDom0(t, lab.Config{DomUs: 2, Timeout: 15 * time.Minute},
		"evtchn", "xenctl", "vlibcall/transport/xen", "xenctl/xenstore", "grant")
}

// rogueGuest runs the tests against guests that break every rule.
func rogueGuest(t *testing.T, timeout time.Duration, env ...string) {
	program := filepath.Join(t.TempDir(), "rogue")
	build := exec.Command("go", "build", "-o", program, "./lab/suite/rogue")
	build.Dir = ".."
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	inDom0(t, lab.Config{
		DomUs:   3,
		DomUAdd: []lab.File{{Host: program, Guest: "/usr/bin/vlib-server"}},
		Env:     env,
		Timeout: timeout,
	}, "lab/suite/rogue")
}

func TestRogueGuestHarmsOnlyItself(t *testing.T) { rogueGuest(t, 20*time.Minute) }
