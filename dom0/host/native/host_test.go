// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/internal/flock"
)

// A host has one owner, whatever its version of cgroups and its network are, until
// that ends.
func TestHostHasOneOwner(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		q := open1(t, o)
		if err := p.Own(); err != nil {
			t.Fatal(err)
		}
		if err := q.Own(); !errors.Is(err, flock.ErrTaken) || !strings.Contains(err.Error(), fmt.Sprint("process ", os.Getpid())) {
			t.Errorf("a second owner: %v", err)
		}
		other := open1(t, Options{Parent: o.Parent, Version: 3 - o.Version})
		if err := other.Own(); !errors.Is(err, flock.ErrTaken) {
			t.Errorf("by another version: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := q.Own(); err != nil {
			t.Errorf("after the first has ended: %v", err)
		}
	})
}

// A user other than root can lock neither the host nor its guards out.
func TestUserCannotLockTheHost(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		if err := p.Own(); err != nil {
			t.Fatal(err)
		}
		names := []string{filepath.Join(p.layout.cpu.dir, "cgroup.procs")}
		for _, h := range p.layout.places() {
			names = append(names, h.dir)
		}
		for _, name := range names {
			user := exec.Cmd{Path: "/proc/self/exe", Args: []string{"native.test", "lock", name}, Dir: "/"}
			user.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			if out, err := user.CombinedOutput(); err == nil || !strings.Contains(string(out), "permission denied") {
				t.Errorf("%s: %v, %s", name, err, out)
			}
		}
	})
}

// meek becomes the same program with other arguments, without the right to make
// threads real-time.
func meek() error {
	runtime.LockOSThread() // capabilities are a thread's
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_NICE, 0, 0, 0); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", append([]string{os.Args[0]}, os.Args[2:]...), os.Environ())
}

// refused adopts the domain "budgeted" of a parent, "version:parent", and prints what is to be noted.
func refused(arg string) error {
	p, err := openNamed(arg, Options{})
	if err != nil {
		return err
	}
	fmt.Println(len(p.Notes()), "before")
	err = p.Reserve(context.Background(), domain("budgeted").On(task(1, 10*ms, 100*ms)))
	for _, n := range p.Notes() {
		fmt.Println(n)
	}
	return errors.Join(err, p.Unreserve(context.Background(), on(domain("budgeted"), 1)), p.Close())
}

// A keeper that may not be real-time says so, from when it keeps a budget on.
func TestKeeperWithoutRealtimeSaysSo(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, o Options) {
		start(t, p, "budgeted", "sleep 1000")
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(self, "meek", "refused", fmt.Sprintf("%d:%s", o.Version, o.Parent)).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "0 before\n") || !strings.Contains(string(out), "refused real-time priority") ||
			!strings.Contains(string(out), unix.EPERM.Error()) || !strings.Contains(string(out), "CAP_SYS_NICE") {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

// A cpuset that puts an adopted domain on a full CPU takes it off its reservation,
// with what was there before, until there is room.
func TestCpusetOntoAFullCPU(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		cpus, err := p.CPUs()
		if err != nil {
			t.Fatal(err)
		}
		if len(cpus) < 2 || p.layout.cpuset.version == 0 {
			t.Skip("needs two CPUs and cpusets")
		}
		full, moved := weight{v1: 5000, v2: 500}, weight{v1: 700, v2: 70}
		one, _ := start(t, p, "one", "sleep 1000")
		two, _ := start(t, p, "two", "sleep 1000")
		give(t, p, "one", full, false)
		give(t, p, "two", moved, false)
		pin(t, p, one, cpus[0])
		pin(t, p, two, cpus[1])
		m, err := master.Open(ctx, p, t.TempDir(), slog.New(slog.NewTextHandler(t.Output(), nil)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		for _, name := range []string{"one", "two"} {
			if _, err := m.Reserve(ctx, api.Reservation{Reservation: domain(name).On(task(0, 60*ms, 100*ms))}); err != nil {
				t.Fatal(err)
			}
		}
		on := func(name string) api.Status {
			t.Helper()
			if err := m.Review(ctx); err != nil {
				t.Fatal(err)
			}
			all, err := m.List(ctx)
			i := slices.IndexFunc(all, func(s api.Status) bool { return s.Name == name })
			if err != nil || i < 0 {
				t.Fatalf("%+v, %v", all, err)
			}
			return all[i]
		}
		pin(t, p, two, cpus[0])
		if s := on("two"); !s.Waits || !strings.Contains(s.Problem, "not admitted") || !has(t, p, "two", moved, false) {
			t.Errorf("%+v, weight %s", s, shares(t, p, "two"))
		}
		if _, err := m.Release(ctx, "one"); err != nil || !has(t, p, "one", full, false) {
			t.Errorf("%v, weight %s", err, shares(t, p, "one"))
		}
		if s := on("two"); s.Waits || s.Problem != "" || s.Left != 60*ms {
			t.Errorf("%+v", s)
		}
		// Another cgroup of its name is another domain, with the reservation.
		if err := p.Remove(ctx, "two"); err != nil {
			t.Fatal(err)
		}
		start(t, p, "two", "sleep 1000")
		if s := on("two"); s.Problem != "" || s.Left == 0 || !recorded(t, p, "two") {
			t.Errorf("%+v", s)
		}
		if _, err := m.Release(ctx, "two"); err != nil {
			t.Error(err)
		}
	})
}
