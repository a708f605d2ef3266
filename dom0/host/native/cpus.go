// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/cpulist"
)

// CPUs are those on which domains run, ascending: the parent's cpuset, or all that are online.
func (p *Host) CPUs() ([]int, error) {
	if p.layout.cpuset.version != 0 {
		return p.cpuset("")
	}
	return cpulist.Read("/sys/devices/system/cpu/online")
}

// Pin keeps a domain on CPUs, whatever its processes ask for. The budget of an
// adopted domain is kept on these CPUs from now on.
func (p *Host) Pin(ctx context.Context, name string, cpus []int) error {
	if err := p.exists(name); err != nil {
		return err
	}
	if p.layout.cpuset.version == 0 {
		return fmt.Errorf("domain %q: CPUs of a domain are %w: mount the controller cpuset (mount -t cgroup -o cpuset none /sys/fs/cgroup/cpuset), or use taskset on its processes", name, host.ErrNotHere)
	}
	if err := cgroup.Write(filepath.Join(p.layout.cpuset.dir, name, "cpuset.cpus"), cpulist.Format(cpus)); err != nil {
		return fmt.Errorf("domain %q on CPUs %v: %w", name, cpus, explain(err))
	}
	return p.k.Do(ctx, func() {
		if d := p.k.adopted[name]; d != nil {
			p.k.move(d, cpus)
		}
	})
}

func (p *Host) cpuset(name string) ([]int, error) {
	return cpulist.Read(p.layout.cpusetFile(name))
}

// cpusetFile has the CPUs on which a domain may run.
func (l layout) cpusetFile(name string) string {
	file := "cpuset.effective_cpus"
	if l.cpuset.version == 2 {
		file = "cpuset.cpus.effective"
	}
	return filepath.Join(l.cpuset.dir, name, file)
}

// listed is cpusOf for a list of all domains.
func (p *Host) listed(name string) ([]int, error) {
	if p.layout.cpuset.version == 0 {
		return p.cpusOf(name)
	}
	return p.sets.read(p.layout.cpusetFile(name))
}

func (p *Host) cpusOf(name string) ([]int, error) {
	if p.layout.cpuset.version != 0 {
		return p.cpuset(name)
	}
	pids, err := cgroup.Processes(filepath.Join(p.layout.cpu.dir, name))
	if err != nil {
		return nil, err
	}
	var cpus []int
	for _, pid := range pids {
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(pid, &set); errors.Is(err, unix.ESRCH) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("CPUs of process %d: %w", pid, err)
		}
		for c := range cpulist.Max + 1 {
			if set.IsSet(c) {
				cpus = append(cpus, c)
			}
		}
	}
	if len(cpus) == 0 {
		return p.CPUs()
	}
	slices.Sort(cpus)
	return slices.Compact(cpus), nil
}
