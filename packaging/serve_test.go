// SPDX-License-Identifier: Apache-2.0

//go:build packages

package packaging

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/internal/testkit"
)

// program is a program that runs in root in the background.
type program struct {
	*exec.Cmd
	said  testkit.Text
	ended bool
}

// background starts a program in root and waits until its output contains ready.
func background(t *testing.T, ready string, env []string, name string, args ...string) *program {
	t.Helper()
	p := &program{Cmd: inside(name, args...)}
	p.Env = append(p.Env, env...)
	p.Stdout, p.Stderr = &p.said, &p.said
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !p.ended {
			p.Process.Kill()
			p.Wait()
		}
	})
	p.expect(t, ready)
	return p
}

// expect waits until the output contains text.
func (p *program) expect(t *testing.T, text string) {
	t.Helper()
	if !testkit.Holds(func() bool { return p.said.Count(text) > 0 }) {
		t.Fatalf("%q is not in the output:\n%s", text, &p.said)
	}
}

// stop tells it to end, and it must succeed.
func (p *program) stop(t *testing.T) {
	t.Helper()
	p.Process.Signal(syscall.SIGTERM)
	err := p.Wait()
	p.ended = true
	if err != nil {
		t.Errorf("%s: %v\n%s", p.Args, err, &p.said)
	}
}

// The installed master runs as the unit starts it: it notifies readiness, notifies the
// watchdog well within WatchdogSec, takes a new configuration, and ends.
func TestInstalledMasterNotifiesSystemd(t *testing.T) {
	host, err := native.Open(native.Options{})
	if err != nil {
		t.Skipf("the native host cannot keep budgets here: %v", err)
	}
	if err := host.Close(); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t)
	install(t, masterDeb)
	const config = "/etc/vlibos/vlibmaster.toml"
	if err := os.WriteFile(root+config, []byte("host = \"native\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: root + "/tmp/notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	master := background(t, "msg=serving host=native", []string{"NOTIFY_SOCKET=/tmp/notify"}, "vlibmaster", "serve")
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		said.SetReadDeadline(time.Now().Add(testkit.Patience))
		b := make([]byte, 100)
		n, err := said.Read(b)
		if err != nil || strings.TrimSpace(string(b[:n])) != want {
			t.Fatalf("the master notified %q, %v, want %q", b[:n], err, want)
		}
	}
	has(t, do(t, "vlibmaster", "ps"), "DOMAIN")
	fails(t, 19, "vlibmaster", "serve")
	fails(t, 3, "vlibmaster", "adopt", "nobody-of-this-name", "--budget", "1ms", "--period", "100ms")
	if err := os.WriteFile(root+config, []byte("host = \"nothing\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	master.Process.Signal(syscall.SIGHUP)
	master.expect(t, config+":1: host")
	if err := os.WriteFile(root+config, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	master.Process.Signal(syscall.SIGHUP)
	master.expect(t, "configuration taken")
	master.stop(t)
	do(t, "dpkg", "--purge", "vlibos")
	unchanged(t, before)
}
