// SPDX-License-Identifier: Apache-2.0

package native

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
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/flock"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
)

// The test binary is also the guard, and a daemon that is killed.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(max(4, runtime.NumCPU())) // as the package asks for
	if len(os.Args) > 1 {
		var err error
		switch os.Args[1] {
		case "guard":
			err = Guard(os.Stdin, os.Args[3])
		case "server":
			err = server(os.Args[2])
		case "caller":
			err = runCaller(os.Args[2])
		case "daemon":
			err = daemon(os.Args[2])
		case "meek":
			err = meek()
		case "refused":
			err = refused(os.Args[2])
		case "lock":
			_, err = flock.Take(os.Args[2], os.O_RDONLY)
		case "payer":
			err = payer(os.Args[2], os.Args[3])
		default:
			tests(m)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	tests(m)
}

// tests runs them: those that are parallel wait, whatever CPUs there are.
func tests(m *testing.M) {
	if err := flag.Set("test.parallel", "16"); err != nil { // if the command line says nothing else
		panic(err)
	}
	testkit.Main(m)
}

const ms = time.Millisecond

var ctx = context.Background()

// timed reports whether times are checked, for which the machine must be at
// rest. Otherwise they are printed.
func timed() bool { return os.Getenv("VLIBOS_TIMED") != "" }

// versions runs a test with each version preferred, on cgroups of its own.
func versions(t *testing.T, f func(t *testing.T, p *Host, o Options)) {
	eachVersion(t, func(*testing.T) {}, f)
}

// waits is [versions] for a test that waits for leases to end, and leaves the
// CPUs alone meanwhile: all such wait at the same time.
func waits(t *testing.T, f func(t *testing.T, p *Host, o Options)) {
	t.Parallel()
	eachVersion(t, (*testing.T).Parallel, f)
}

func eachVersion(t *testing.T, begin func(*testing.T), f func(t *testing.T, p *Host, o Options)) {
	if os.Geteuid() != 0 {
		t.Skip("not root: domains are cgroups, which only root can make here")
	}
	m, err := cgroup.FindMounts()
	if err != nil {
		t.Fatal(err)
	}
	parent := fmt.Sprintf("vlibos-test-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
	var last layout
	for v := 1; v <= 2; v++ {
		l, err := choose(m, parent, v)
		if err == nil && l == last {
			continue // the machine has one version
		}
		last = l
		t.Run(fmt.Sprintf("v%d", v), func(t *testing.T) {
			begin(t)
			o := Options{Parent: fmt.Sprintf("%s-v%d", parent, v), Version: v}
			var p *Host
			t.Cleanup(func() { // after p is closed
				if p != nil {
					removeParent(t, p)
				}
			})
			p = open1(t, o)
			t.Logf("cpu v%d, usage v%d, freezer v%d, cpuset v%d", p.layout.cpu.version, p.layout.usage.version,
				p.layout.freezer.version, p.layout.cpuset.version)
			f(t, p, o)
		})
	}
}

// policy by which the kernel schedules a process.
func policy(t testing.TB, pid int) uint32 {
	t.Helper()
	attr, err := unix.SchedGetAttr(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	return attr.Policy
}

func open1(t testing.TB, o Options) *Host {
	t.Helper()
	p, err := Open(o)
	if errors.Is(err, host.ErrNotHere) || errors.Is(err, host.ErrNotAllowed) {
		t.Skipf("domains are cgroups: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	// The keeper has started when it answers.
	if err := p.k.Do(ctx, func() {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func removeParent(t testing.TB, p *Host) {
	for _, h := range p.layout.places() {
		entries, err := os.ReadDir(h.dir)
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			if e.IsDir() {
				t.Errorf("left: %s", filepath.Join(h.dir, e.Name()))
			}
		}
		if err := evacuate(h.dir, filepath.Dir(h.dir), time.Second); err != nil {
			t.Error(err)
		}
	}
}

const spin = "while :; do :; done"

// start makes a domain of one process and removes both in the end.
func start(t testing.TB, p *Host, name, script string) (host.Domain, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if err := p.layout.freeze(ctx, name, false); err != nil && !cgroup.Gone(err) {
			t.Error(err)
		}
		_ = cmd.Wait()
		if err := p.Remove(ctx, name); err != nil && !errors.Is(err, host.ErrNoDomain) {
			t.Error(err)
		}
	})
	if err := p.Create(name, cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	return domain(name), cmd
}

func adopt(t testing.TB, p *Host, d host.Domain, id uint32, budget, period time.Duration) {
	t.Helper()
	if err := p.Reserve(ctx, d.On(rtsched.Task{ID: id, Budget: budget, Period: period})); err != nil {
		t.Fatal(err)
	}
}

// on, threadsOn and calls are reservations that a domain holds, that threads hold, and
// that pay for calls alone.
func on(d host.Domain, id uint32) host.Reservation { return d.On(rtsched.Task{ID: id}) }

func threadsOn(id uint32) host.Reservation {
	return host.Reservation{Task: rtsched.Task{ID: id}, Holder: host.Holder{Threads: new(host.Members)}}
}

// class gives a domain that spinning has adopted a class.
func class(t *testing.T, p *Host, d host.Domain, c host.Class) {
	t.Helper()
	r := d.On(rtsched.Task{ID: 1, Budget: time.Millisecond, Period: 50 * time.Millisecond})
	r.Class = c
	if err := p.Reserve(ctx, r); err != nil {
		t.Fatal(err)
	}
}

func calls(d host.Domain, r rtsched.Task) host.Reservation {
	return host.Reservation{Task: r, Callees: callees(d)}
}

func callees(all ...host.Domain) (c []host.Callee) {
	for _, d := range all {
		c = append(c, host.Callee{Domain: d})
	}
	return c
}

func usage(t testing.TB, p *Host, d host.Domain, id uint32) host.Usage {
	t.Helper()
	u, err := p.Usage(ctx, on(d, id))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func domain(name string) host.Domain {
	return host.Domain{ID: name, UUID: name, Name: name}
}

// lastCPU is one on which tests spin.
func lastCPU(t testing.TB, p *Host) int {
	t.Helper()
	cpus, err := p.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	return cpus[len(cpus)-1]
}

func pin(t testing.TB, p *Host, d host.Domain, cpu int) {
	t.Helper()
	if err := p.Pin(ctx, d.ID, []int{cpu}); err != nil {
		t.Fatal(err)
	}
}

func taskset(t testing.TB, cmd *exec.Cmd, cpu int) {
	t.Helper()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(cmd.Process.Pid, &set); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// shares is the weight of a domain as the kernel has it.
func shares(t testing.TB, p *Host, name string) string {
	if p.layout.cpu.version == 2 {
		return content(t, filepath.Join(p.layout.cpu.dir, name, "cpu.weight"))
	}
	return content(t, filepath.Join(p.layout.cpu.dir, name, "cpu.shares"))
}

// standard is what a new cgroup weighs.
var standard = weight{v1: 1024, v2: 100}

func (w weight) text(version int) string { return fmt.Sprint(w.of(version)) }

// openNamed opens the host of a parent, which another process of the tests names
// "version:parent".
func openNamed(name string, o Options) (*Host, error) {
	version, parent, _ := strings.Cut(name, ":")
	v, err := strconv.Atoi(version)
	if err != nil {
		return nil, err
	}
	o.Parent, o.Version = parent, v
	return Open(o)
}
