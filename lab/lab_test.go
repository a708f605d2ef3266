// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// announcing is a server that only announces itself, as docs/reference/channel.md says.
const announcing = `#!/bin/sh
xenstore-write data/version $(/opt/hypercall)
xenstore-write data/limit $(cat /sys/module/xen_gntalloc/parameters/limit)
echo the server of $(hostname) is up
xenstore-write data/vlibos/1/server up
exec sleep 100000
`

func script(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// boot runs the lab, and fails the test if the lab fails, with the consoles. With follow
// it also shows the command's output while it runs.
func boot(t *testing.T, c lab.Config, follow bool) (result lab.Result, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	if follow {
		c.Stdout = io.MultiWriter(&out, os.Stdout)
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Minute
	}
	result, err := lab.Run(t.Context(), c)
	if err != nil {
		var failed *lab.Error
		if errors.As(err, &failed) {
			t.Log(failed.Report())
		}
		t.Fatal(err)
	}
	return result, out.String(), errOut.String()
}

// noEmulatorLeft is for tests that run alone: the emulators of parallel tests are this
// process's children, too.
func noEmulatorLeft(t *testing.T) {
	t.Helper()
	children, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(children) == 0 {
		t.Fatalf("cannot list this process' children: %v", err)
	}
	for _, file := range children {
		pids, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread has just ended
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, pid := range strings.Fields(string(pids)) {
			comm, _ := os.ReadFile("/proc/" + pid + "/comm")
			if strings.HasPrefix(string(comm), "qemu-system") {
				t.Errorf("emulator %s still runs", pid)
			}
		}
	}
}

func TestRunReturnsTheCommandsOutputAndStatus(t *testing.T) {
	added := script(t, "added\n")
	result, stdout, stderr := boot(t, lab.Config{
		Fresh: true, DomUs: 2, DomUGntallocLimit: 8192, Logs: true,
		Add:     []lab.File{{Host: added, Guest: "/opt/x/added"}},
		DomUAdd: []lab.File{{Host: os.Args[0], Guest: hypercallProgram}, {Host: script(t, announcing), Guest: "/usr/bin/vlib-server"}},
		Env:     []string{"FROM_HOST=a b"},
		Stdin:   strings.NewReader("typed\n"),
		Args: []string{"sh", "-c", `
			echo to stderr >&2
			xl list | awk 'NR > 1 { print $1 }'
			echo "$FROM_HOST"; cat /opt/x/added; cat
			xenstore-read /local/domain/1/data/limit /local/domain/2/data/version
			cat /proc/xen/capabilities
			exit 42`},
	}, false)
	want := "Domain-0\nvlib1\nvlib2\na b\nadded\ntyped\n8192\n4\ncontrol_d\n"
	if result.Status != 42 || stdout != want || stderr != "to stderr\n" {
		t.Errorf("status %d, stdout %q, stderr %q; want 42, %q, %q", result.Status, stdout, stderr, want, "to stderr\n")
	}
	if v := result.Versions; !strings.HasPrefix(v.Xen, "4.") || v.Dom0 == "" || v.QEMU == "" || v.Base == "" {
		t.Errorf("versions %+v", v)
	}
	if result.Boot <= 0 || result.Total < result.Boot {
		t.Errorf("boot took %v of %v", result.Boot, result.Total)
	}
	for i, name := range []string{"vlib1", "vlib2"} {
		if len(result.Logs) <= i || result.Logs[i].Name != name || !strings.Contains(result.Logs[i].Text, "the server of "+name+" is up") {
			t.Errorf("console of %s is not in the logs: %.200v", name, result.Logs)
		}
	}
	noEmulatorLeft(t)
}

func TestMissingCommandHasStatus127(t *testing.T) {
	result, stdout, stderr := boot(t, lab.Config{Args: []string{"no-such-command"}}, false)
	if result.Status != 127 || stdout != "" || !strings.Contains(stderr, "--add HOST:GUEST") {
		t.Errorf("status %d, stdout %q, stderr %q", result.Status, stdout, stderr)
	}
}

// failure runs a lab that must fail.
func failure(t *testing.T, ctx context.Context, c lab.Config) *lab.Error {
	t.Helper()
	result, err := lab.Run(ctx, c)
	var failed *lab.Error
	if !errors.As(err, &failed) {
		t.Fatalf("got %+v, %v; want a lab.Error", result, err)
	}
	t.Logf("%v\n%s", err, failed.Report())
	noEmulatorLeft(t)
	return failed
}

func TestFileThatIsNoHypervisorFailsTheBoot(t *testing.T) {
	failed := failure(t, t.Context(), lab.Config{Xen: script(t, strings.Repeat("no hypervisor\n", 1000)), Args: []string{"true"}})
	if failed.Awaited != "booting Xen and Dom0" || len(failed.Console) == 0 {
		t.Errorf("awaited %q, console %q", failed.Awaited, failed.Console)
	}
}

func TestErrorNamesThePanicOfDom0(t *testing.T) {
	failed := failure(t, t.Context(), lab.Config{KernelArgs: "init=/nowhere rdinit=/nowhere", Args: []string{"true"}})
	if !strings.Contains(failed.Error(), "Kernel panic") || !strings.Contains(failed.Report(), "Kernel panic") {
		t.Errorf("error %q does not contain the panic", failed)
	}
}

func TestServerThatIsNotAnnouncedFailsTheRun(t *testing.T) {
	failed := failure(t, t.Context(), lab.Config{
		DomUs: 1, ServerTimeout: time.Second, Args: []string{"true"},
		DomUAdd: []lab.File{{Host: script(t, "#!/bin/sh\nexec sleep 100000\n"), Guest: "/usr/bin/vlib-server"}},
	})
	if failed.Awaited != "waiting for the server in vlib1" || !strings.Contains(failed.Error(), "data/vlibos/1/server") {
		t.Errorf("awaited %q, error %q", failed.Awaited, failed)
	}
}

func TestRunEndsAtItsTimeout(t *testing.T) {
	failed := failure(t, t.Context(), lab.Config{Timeout: 2 * time.Second, Args: []string{"sleep", "100000"}})
	if !errors.Is(failed, lab.ErrTimeout) {
		t.Errorf("error %v, want a timeout", failed)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	running := false
	failed := failure(t, ctx, lab.Config{
		Args: []string{"sleep", "100000"},
		Progress: func(stage string) {
			if stage == "" {
				running = true
				cancel()
			}
		},
	})
	if !running || !errors.Is(failed, context.Canceled) || failed.Awaited != "the end of sleep" {
		t.Errorf("command was running: %v; error %v", running, failed)
	}
}
