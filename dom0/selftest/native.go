// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/cpulist"
)

// cgroups is the ground of a machine without Xen: a parent cgroup of its own.
type cgroups struct{ parent string }

func (g cgroups) plan() *plan { return &plan{Parent: g.parent} }

func (g cgroups) serve() []string {
	return []string{"--host", native.Name, "--native-cgroup", g.parent}
}

// make implements ground: a process of this program, on the last CPU.
func (g cgroups) make(ctx context.Context, s *stage, name string) (_ domain, err error) {
	p, err := native.Open(native.Options{Parent: g.parent})
	if errors.Is(err, host.ErrNotHere) || errors.Is(err, host.ErrNotAllowed) {
		return nil, impossible("%w", err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	cpus, err := p.CPUs()
	if err != nil {
		return nil, err
	}
	on := cpus[len(cpus)-1:]
	cmd := exec.Command(s.Self, LoadCommand, "spin", cpulist.Format(on))
	if err := s.start(cmd, name); err != nil {
		return nil, err
	}
	if err := p.Create(name, cmd.Process.Pid); err != nil {
		return nil, err
	}
	if err := p.Pin(ctx, name, on); err != nil && !errors.Is(err, host.ErrNotHere) {
		return nil, err
	}
	meter, err := openMeter(g.parent, name)
	if err != nil {
		return nil, err
	}
	s.ended = append(s.ended, meter.Close)
	return group{name, meter}, nil
}

// server implements ground: a process outside the cgroup.
func (cgroups) server(_ context.Context, s *stage, program string) (server, error) {
	dir := filepath.Join(s.plan.Dir, "native")
	cmd := exec.Command(program, "--transport", "native", "--native-dir", dir, "--name", "selftest")
	return server{directory.Config{Host: directory.Native, NativeDir: dir}, "selftest", 10 * time.Second}, s.start(cmd, "server")
}

// openMeter opens the first meter that counts the domain.
func openMeter(parent, name string) (*cgroup.Meter, error) {
	trees, err := cgroup.Trees()
	for _, t := range trees {
		var m *cgroup.Meter
		if m, err = t.Meter(filepath.Join(parent, name)); err == nil {
			return m, nil
		}
	}
	return nil, errors.Join(err, fmt.Errorf("nothing counts the CPU time of cgroup %s/%s", parent, name))
}

type group struct {
	called string
	meter  *cgroup.Meter
}

func (g group) name() string                { return g.called }
func (g group) cpu() (time.Duration, error) { return g.meter.Usage() }

// removeGroups kills the processes of the cgroups below a parent, in all
// hierarchies, and removes them with the parent.
func removeGroups(parent string) error {
	m, err := cgroup.FindMounts()
	if err != nil {
		return err
	}
	roots := map[string]bool{}
	for _, controller := range []string{"cpu", "cpuacct", "freezer", "cpuset"} {
		roots[m.V1[controller]] = true
	}
	roots[m.V2] = true
	delete(roots, "")
	var errs []error
	for root := range roots {
		errs = append(errs, removeGroup(filepath.Join(root, parent)))
	}
	return errors.Join(errs...)
}

// removeGroup waits for the processes that it killed.
func removeGroup(dir string) error {
	for wait := 0; ; wait++ {
		err := removeOnce(dir)
		if err == nil || !errors.Is(err, unix.EBUSY) || wait == 100 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func removeOnce(dir string) error {
	entries, err := cgroup.Children(dir)
	if cgroup.Gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := removeOnce(filepath.Join(dir, e.Name)); err != nil {
			return err
		}
	}
	for file, text := range map[string]string{"freezer.state": "THAWED", "cgroup.freeze": "0"} {
		_ = cgroup.Write(filepath.Join(dir, file), text) // a frozen process does not die; some have no such file
	}
	pids, err := cgroup.Processes(dir)
	if err != nil && !cgroup.Gone(err) {
		return err
	}
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
			return fmt.Errorf("process %s of %s: %w", strconv.Itoa(pid), dir, err)
		}
	}
	if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// unused reports an error if a parent of that name is there: another's.
func unused(parent string) error {
	m, err := cgroup.FindMounts()
	if err != nil {
		return err
	}
	for _, root := range append([]string{m.V2}, m.V1["cpu"], m.V1["freezer"], m.V1["cpuacct"], m.V1["cpuset"]) {
		if _, err := os.Stat(filepath.Join(root, parent)); root != "" && err == nil {
			return impossible("cgroup %s: %w: try again", filepath.Join(root, parent), fs.ErrExist)
		}
	}
	return nil
}
