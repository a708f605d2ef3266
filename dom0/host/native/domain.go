// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// Create makes a domain of processes, with all their threads and the processes
// that they will fork. To start a program in one, a process creates the domain
// with its own number and then becomes the program (execve). If Create fails,
// it leaves nothing.
func (p *Host) Create(name string, pids ...int) (err error) {
	if err := CheckName(name); err != nil {
		return err
	}
	var made []string
	defer func() {
		if err == nil {
			return
		}
		err = fmt.Errorf("domain %q: %w", name, explain(err))
		for _, dir := range slices.Backward(made) {
			err = errors.Join(err, evacuate(dir, filepath.Dir(filepath.Dir(dir)), time.Second))
		}
	}()
	for i, h := range p.layout.places() {
		dir := filepath.Join(h.dir, name)
		switch err := os.Mkdir(dir, 0o755); {
		case err == nil:
			made = append(made, dir)
		case i == 0 && errors.Is(err, fs.ErrExist):
			return fmt.Errorf("%w: choose another name or remove it first", err)
		case !errors.Is(err, fs.ErrExist): // left by a Remove that was interrupted: used
			return err
		}
	}
	if p.layout.cpuset.version == 1 {
		if err := inherit(filepath.Join(p.layout.cpuset.dir, name)); err != nil {
			return err
		}
	}
	for _, pid := range pids {
		for _, h := range p.layout.places() {
			file := filepath.Join(h.dir, name, "cgroup.procs")
			if err := cgroup.Write(file, strconv.Itoa(pid)); err != nil {
				return fmt.Errorf("process %d into it: %w", pid, err)
			}
		}
	}
	return nil
}

// CheckName refuses a string that cannot be a domain's name: it is no directory
// of its own, or may be a file of the kernel in the parent.
func CheckName(name string) error {
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '/' || r == 0x7f }) ||
		strings.HasPrefix(name, ".") {
		return fmt.Errorf("domain %.80q: a name has 1 to 200 characters, no slash, no space, and no dot at the beginning", name)
	}
	return nil
}

// Remove takes a domain apart: its gate is opened, its processes are moved to
// the cgroup above the parent, its cgroups are removed. It returns ErrNoDomain
// if there is no such domain.
func (p *Host) Remove(ctx context.Context, name string) error {
	if err := p.exists(name); err != nil {
		return err
	}
	if err := p.release(ctx, name); err != nil {
		return err
	}
	err := p.layout.freeze(ctx, name, false)
	if cgroup.Gone(err) {
		err = nil
	}
	places := p.layout.places()
	// Every move of a process waits for the whole kernel (RCU); those that are under way
	// together wait once.
	var moves sync.WaitGroup
	for _, h := range places {
		moves.Go(func() { _ = empty(filepath.Join(h.dir, name), filepath.Dir(h.dir)) }) // repeated below
	}
	moves.Wait()
	for _, h := range slices.Backward(places) { // the first last: it exists until all is done
		if err == nil {
			err = evacuate(filepath.Join(h.dir, name), filepath.Dir(h.dir), 5*time.Second)
		}
	}
	if err != nil {
		return fmt.Errorf("domain %q: %w", name, explain(err))
	}
	return nil
}

// evacuate moves the processes below dir to another cgroup and removes dir.
// Processes that fork meanwhile are caught in the next round.
func evacuate(dir, to string, patience time.Duration) error {
	end := time.Now().Add(patience)
	for {
		err := evacuateOnce(dir, to)
		if err == nil || !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

func evacuateOnce(dir, to string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := evacuateOnce(filepath.Join(dir, e.Name()), to); err != nil {
				return err
			}
		}
	}
	if err := empty(dir, to); err != nil {
		return err
	}
	if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// empty moves the processes of one cgroup to another.
func empty(dir, to string) error {
	pids, err := cgroup.Processes(dir)
	if err != nil && !cgroup.Gone(err) {
		return err
	}
	for _, pid := range pids {
		err := cgroup.Write(filepath.Join(to, "cgroup.procs"), strconv.Itoa(pid))
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return nil
}

// Domains implements host.Host: every cgroup below the parent. A domain's CPUs
// are its cpuset's, which no process can leave; without that controller, the
// CPUs that its processes have set for themselves by now.
func (p *Host) Domains(context.Context) ([]host.Domain, error) {
	entries, err := cgroup.Children(p.layout.cpu.dir)
	if err != nil {
		return nil, explain(err)
	}
	all := make([]host.Domain, 0, len(entries))
	p.sets.begin()
	defer p.sets.end()
	for _, e := range entries {
		cpus, err := p.listed(e.Name)
		if cgroup.Gone(err) {
			continue // it was removed meanwhile
		}
		all = append(all, host.Domain{ID: e.Name, Generation: e.Inode, UUID: e.Name, Name: e.Name, CPUs: cpus, VCPUs: len(cpus), Err: explain(err)})
	}
	return all, nil
}

func (p *Host) exists(name string) error {
	if err := CheckName(name); err != nil {
		return fmt.Errorf("%w: %w", host.ErrNoDomain, err)
	}
	dir := filepath.Join(p.layout.cpu.dir, name)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("domain %q: %w: there is no cgroup %s", name, host.ErrNoDomain, dir)
	}
	return nil
}
