// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package linux

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	suite "github.com/vlibos/vlibos/lab/suite/host"
)

// daemon is a running 'vlibmaster serve' of the native host, and its configuration's file.
type daemon struct {
	*exec.Cmd
	log   *testkit.Text
	file  string
	ended chan struct{}
}

// serve starts a master with a configuration and waits until it serves.
func serve(t *testing.T, configuration string) *daemon {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vlibos.toml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{exec.Command("vlibmaster", "--host", "native", "serve", "--config", file), new(testkit.Text), file, make(chan struct{})}
	d.Stderr = d.log
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(d.ended)
		d.Wait()
	}()
	t.Cleanup(func() {
		d.end(unix.SIGTERM)
		if t.Failed() {
			t.Log(d.log)
		}
	})
	testkit.Eventually(t, "serving", func() bool {
		select {
		case <-d.ended:
			t.Fatal("the master has ended")
		default:
		}
		return strings.Contains(d.log.String(), "msg=serving")
	})
	return d
}

// end ends the master by a signal; errors mean that it has ended.
func (d *daemon) end(s unix.Signal) {
	d.Process.Signal(s)
	<-d.ended
}

// run starts a command in a domain of its own until the end of the test.
func run(t *testing.T, domain string, command ...string) {
	t.Helper()
	c := exec.Command("vlibmaster", append([]string{"cgroup", "run", domain, "--"}, command...)...)
	c.Stdout, c.Stderr = os.Stderr, os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if out, err := exec.Command("vlibmaster", "cgroup", "remove", domain).CombinedOutput(); err != nil {
			t.Logf("remove %s: %v\n%s", domain, err, out)
		}
	})
	testkit.Eventually(t, "the process of "+domain, func() bool {
		pids, err := os.ReadFile("/sys/fs/cgroup/vlibos/" + domain + "/cgroup.procs")
		return err == nil && len(pids) > 0
	})
}

const (
	wideClass   = "[[cache]]\nname = \"wide\"\nl3 = \"60%\"\ndomains = [\"web\"]\n"
	narrowClass = "[[cache]]\nname = \"wide\"\nl3 = \"30%\"\ndomains = [\"web\"]\n"
)

// The daemon's classes follow its configuration. They end with it, or, if it is killed, with
// the next one.
func TestClassesOfTheDaemonEndWithIt(t *testing.T) {
	mounted(t, "")
	run(t, "web", "sleep", "100000")
	t.Log(suite.Run(t, "vlibmaster", "--host", "native", "doctor"))
	d := serve(t, wideClass)
	class := func() string {
		if !slices.Contains(groups(t), "vlibos.wide") {
			return "none"
		}
		return schemata(t, "vlibos.wide")["L3"]
	}
	first := class()
	if first == "none" || strings.TrimSpace(read(t, "vlibos.wide/tasks")) == "" {
		t.Fatalf("the class is %q, and its tasks %q", first, read(t, "vlibos.wide/tasks"))
	}
	if err := os.WriteFile(d.file, []byte(narrowClass), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Process.Signal(unix.SIGHUP)
	testkit.Eventually(t, "the other mask", func() bool { return class() != first && class() != "none" })
	t.Logf("60 %%: %s, 30 %%: %s", first, class())
	d.end(unix.SIGKILL)
	if class() == "none" {
		t.Error("a killed daemon has removed its class")
	}
	d = serve(t, "")
	if got := class(); got != "none" {
		t.Errorf("the next daemon, without classes, leaves %s", got)
	}
	d.end(unix.SIGTERM)
	d = serve(t, wideClass)
	if class() != first {
		t.Errorf("again: %s, want %s", class(), first)
	}
	d.end(unix.SIGTERM)
	if got := class(); got != "none" {
		t.Errorf("after the daemon's end: %s", got)
	}
}
