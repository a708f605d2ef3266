// SPDX-License-Identifier: Apache-2.0

package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/testkit"
)

// testLease is renewed so often that a machine which others use too is not too
// late for it.
const testLease, testRenewal = time.Second, 100 * time.Millisecond

// daemon adopts, throttles and gates domains of a parent, "version:parent", and renews until
// it is killed. It says "ready" when all of that is done.
func daemon(arg string) error {
	p, err := openNamed(arg, Options{})
	if err != nil {
		return err
	}
	if err := p.Renew(testLease); err != nil {
		return err
	}
	if err := p.Gate(context.Background(), domain("gated"), true); err != nil {
		return err
	}
	r := task(1, 10*time.Millisecond, 100*time.Millisecond)
	if err := p.Reserve(context.Background(), domain("budgeted").On(r)); err != nil {
		return err
	}
	cpus, err := p.CPUs()
	if err != nil {
		return err
	}
	for _, c := range cpus {
		if err := p.Throttle(context.Background(), c, 10*time.Millisecond, 10*time.Millisecond); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	for {
		time.Sleep(testRenewal)
		if err := p.Renew(testLease); errors.Is(err, host.ErrLease) {
			fmt.Println("lost")
		} else if err != nil {
			return err
		}
	}
}

func frozen(t *testing.T, p *Host, name string) bool {
	t.Helper()
	before := raw(t, p, name)
	time.Sleep(60 * time.Millisecond)
	return raw(t, p, name) == before
}

func raw(t *testing.T, p *Host, name string) time.Duration {
	t.Helper()
	g, err := openGroup(p.layout, name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := g.usage()
	if err = errors.Join(err, g.close()); err != nil {
		t.Fatal(err)
	}
	return v
}

func (p *Host) open(t *testing.T, name string) bool {
	if p.layout.freezer.version == 2 {
		return content(t, p.layout.freezer.dir+"/"+name+"/cgroup.freeze") == "0"
	}
	return content(t, p.layout.freezer.dir+"/"+name+"/freezer.state") == "THAWED"
}

// default weights, of a domain and of the parent
func (p *Host) light(t *testing.T) bool {
	want := standard.text(p.layout.cpu.version)
	return shares(t, p, "budgeted") == want && shares(t, p, "") == want
}

// startDaemon starts one that keeps the domains "budgeted" and "gated", and returns
// when it does.
func startDaemon(t *testing.T, o Options) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "daemon", fmt.Sprintf("%d:%s", o.Version, o.Parent))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		// The guard closes the parent when it is done.
		testkit.Eventually(t, "guard ends", func() bool { return !guarded(t, o.Parent) })
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the daemon said %q", lines.Text())
	}
	return cmd, lines
}

// guardOf is the number of a daemon's guard, 0 if there is none just now.
func guardOf(t *testing.T, daemon int) int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", daemon))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file) // its thread may have ended
		for word := range strings.FieldsSeq(string(text)) {
			line, _ := os.ReadFile("/proc/" + word + "/cmdline")
			if pid, err := strconv.Atoi(word); err == nil && strings.Contains(string(line), "\x00guard\x00") {
				return pid
			}
		}
	}
	return 0
}

// A guard that was stopped does not keep the domains of a dead daemon from what
// they had.
func TestStoppedGuardThenDeadDaemon(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		start(t, p, "gated", spin)
		start(t, p, "budgeted", spin)
		cmd, _ := startDaemon(t, o)
		guard := guardOf(t, cmd.Process.Pid)
		if guard == 0 {
			t.Fatal("the daemon has no guard")
		}
		if err := unix.Kill(guard, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "another guard takes its place", func() bool {
			now := guardOf(t, cmd.Process.Pid)
			return now != 0 && now != guard
		})
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "gate and weights", func() bool { return p.open(t, "gated") && p.light(t) })
	})
}

func TestDaemonDies(t *testing.T) {
	waits(t, func(t *testing.T, p *Host, o Options) {
		for _, signal := range []unix.Signal{unix.SIGKILL, unix.SIGSTOP} {
			t.Run(signal.String(), func(t *testing.T) {
				start(t, p, "gated", spin)
				start(t, p, "budgeted", spin)
				cmd, lines := startDaemon(t, o)
				// Longer than the lease: it is renewed.
				time.Sleep(testLease + testLease/2)
				if p.open(t, "gated") || !frozen(t, p, "gated") || p.light(t) {
					t.Fatalf("open %v, weights standard %v while the daemon lives", p.open(t, "gated"), p.light(t))
				}
				testkit.Eventually(t, "throttled", func() bool { return !p.open(t, "budgeted") })
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				took := testkit.Eventually(t, "gate", func() bool { return p.open(t, "gated") })
				more := testkit.Eventually(t, "weights", func() bool { return p.light(t) })
				lifted := testkit.Eventually(t, "throttle", func() bool { return p.open(t, "budgeted") })
				t.Logf("%v: throttle lifted %v after that", signal, lifted)
				t.Logf("%v: gate open after %v, weights %v later, lease %v", signal, took, more, testLease)
				if limit := testLease + 500*time.Millisecond; timed() && took > limit {
					t.Errorf("gate open after %v, want within the lease of %v", took, testLease)
				}
				testkit.Eventually(t, "it runs", func() bool { return !frozen(t, p, "gated") })
				if signal == unix.SIGSTOP {
					if err := cmd.Process.Signal(unix.SIGCONT); err != nil {
						t.Fatal(err)
					}
					if !lines.Scan() || lines.Text() != "lost" {
						t.Errorf("the daemon said %q after its lease was over", lines.Text())
					}
					testkit.Eventually(t, "weights again", func() bool { return !p.light(t) })
				}
			})
		}
	})
}

func guarded(t *testing.T, parent string) bool {
	t.Helper()
	m, err := cgroup.FindMounts()
	if err != nil {
		t.Fatal(err)
	}
	f, err := lockGuards(m, parent)
	if err != nil {
		t.Fatal(err)
	}
	busy := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return busy
}

func TestGate(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		d, _ := start(t, p, "g", spin)
		if err := p.Gate(ctx, d, true); !errors.Is(err, host.ErrLease) || !p.open(t, "g") {
			t.Errorf("without a lease: %v", err)
		}
		if err := p.Renew(time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := p.Gate(ctx, d, true); err != nil || !frozen(t, p, "g") {
			t.Errorf("closed: %v", err)
		}
		if err := p.Gate(ctx, d, false); err != nil || frozen(t, p, "g") {
			t.Errorf("opened: %v", err)
		}
		if err := p.Gate(ctx, domain("none"), true); !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
		control := d
		control.Control = true
		if err := p.Gate(ctx, control, true); !errors.Is(err, host.ErrNotAllowed) {
			t.Error(err)
		}
		// A guard that was killed is replaced.
		if err := unix.Kill(p.k.Lease().Guard(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "new guard", func() bool {
			pid := p.k.Lease().Guard()
			if err := p.Renew(time.Minute); err != nil {
				t.Fatal(err)
			}
			return p.k.Lease().Guard() != pid
		})
		// Removing opens the gate.
		if err := p.Gate(ctx, d, true); err != nil {
			t.Fatal(err)
		}
		if err := p.Remove(ctx, d.ID); err != nil {
			t.Fatal(err)
		}
	})
}

// What Close leaves closed opens when the lease is over, unless another process took over.
func TestCloseLeaves(t *testing.T) {
	waits(t, func(t *testing.T, p *Host, o Options) {
		d, _ := start(t, p, "gated", spin)
		start(t, p, "budgeted", spin)
		for _, taken := range []bool{false, true} {
			q := open1(t, o)
			if err := q.Renew(2 * testLease); err != nil {
				t.Fatal(err)
			}
			if err := q.Gate(ctx, d, true); err != nil {
				t.Fatal(err)
			}
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
			if p.open(t, "gated") {
				t.Error("open after Close")
			}
			if taken {
				if err := p.Renew(time.Minute); err != nil {
					t.Fatal(err)
				}
				time.Sleep(3 * testLease)
				if p.open(t, "gated") {
					t.Error("open though another has taken over")
				}
				continue
			}
			testkit.Eventually(t, "gate", func() bool { return p.open(t, "gated") })
			testkit.Eventually(t, "guard ends", func() bool { return !guarded(t, o.Parent) })
		}
	})
}

func TestGuardRefuses(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	if err := Guard(os.Stdin, "no/such"); err == nil {
		t.Error("a parent that is not there")
	}
}
