// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/intel/goresctrl/pkg/monitor"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// Monitor implements [memory.CacheMonitor]. A domain has a monitoring group, which is in the
// group of its class. Domains without threads need none.
type Monitor struct {
	root, proc string
	prefix     string
	has        monitoring
	capacity   uint64
	groups     *monitor.Manager
	threads    Threads
	seen       map[string]*counted // by the domain's ID
}

var _ memory.CacheMonitor = (*Monitor)(nil)

// counted is a domain whose use is counted.
type counted struct {
	generation uint64         // the domain's
	group      *monitor.Group // nil: none
	last       uint64         // what the kernel has counted of traffic
	of         uint64         // the group to which last belongs: its Gen, from 1 on; 0: nothing counts
	moved      uint64
}

var silent = sync.OnceFunc(func() { monitor.SetLogger(slog.New(slog.DiscardHandler)) })

// OpenMonitor removes the monitoring groups of an earlier process of the same owner: the
// cgroup of all domains. Errors wrap [host.ErrNotHere] if the kernel does not monitor caches.
func OpenMonitor(owner string, threads Threads) (*Monitor, error) {
	m := &Monitor{root: Root, proc: "/proc", prefix: prefix(owner), threads: threads, capacity: capacity("/sys/devices/system/cpu")}
	return m, m.open()
}

func (m *Monitor) open() (err error) {
	silent()
	if m.has, err = monitored(m.root); err != nil {
		return err
	}
	m.seen = make(map[string]*counted)
	ours := func(key string) bool { return strings.HasPrefix(key, m.prefix) && monitor.DefaultKeyValidator(key) }
	if m.groups, err = monitor.New(monitor.Options{ResctrlRoot: m.root, KeyValidator: ours}); err != nil {
		return err
	}
	return m.groups.Reconcile(nil)
}

// Capacity implements [memory.CacheMonitor].
func (m *Monitor) Capacity() uint64 { return m.capacity }

// Read implements [memory.CacheMonitor].
func (m *Monitor) Read(_ context.Context, all []host.Domain) (map[string]host.CacheUse, error) {
	there := make(map[string]bool)
	use := make(map[string]host.CacheUse, len(all))
	for _, d := range all {
		there[d.ID] = true
		use[d.ID] = m.read(d)
	}
	var errs []error
	for id := range m.seen {
		if !there[id] {
			errs = append(errs, m.forget(id))
		}
	}
	return use, errors.Join(errs...)
}

func (m *Monitor) read(d host.Domain) host.CacheUse {
	s := m.seen[d.ID]
	if s == nil {
		s = &counted{generation: d.Generation}
		m.seen[d.ID] = s
	}
	if s.generation != d.Generation {
		// What the group has counted so far is another domain's with that name.
		s.generation, s.moved, s.of = d.Generation, 0, 0
	}
	err := m.follow(d.ID, s)
	var u host.CacheUse
	if err == nil && s.group != nil {
		u.Occupied, err = m.count(d.ID, s)
	}
	switch {
	case errors.Is(err, monitor.ErrNoRMIDs), errors.Is(err, unix.EBUSY): // EBUSY: lines of ended groups have some
		return host.CacheUse{Problem: fmt.Sprintf("all of the processor's %d monitoring IDs are in use", m.has.ids)}
	case err != nil:
		return host.CacheUse{Problem: err.Error()}
	}
	u.Moved = s.moved
	return u
}

// follow makes the threads of a domain those of its monitoring group.
func (m *Monitor) follow(id string, s *counted) error {
	for range rounds {
		// In this order, threads that are started meanwhile do not seem to have left.
		in, err := m.members(s)
		if err != nil {
			return err
		}
		tids, err := m.threads(id)
		if err != nil && !errors.Is(err, host.ErrNoDomain) {
			return err
		}
		if s.group != nil {
			if err := assign(filepath.Join(m.root, s.group.Class()), without(in, tids)); err != nil {
				return err
			}
		}
		missing := without(tids, in)
		if len(missing) == 0 {
			return nil
		}
		class, ok, err := m.class(tids)
		if err != nil {
			return err
		}
		if !ok {
			continue // they have ended
		}
		if s.group == nil || s.group.Class() != class {
			if err := m.remove(id); err != nil {
				return err
			}
			if s.group, err = m.groups.EnsureGroup(m.prefix+id, class); err != nil {
				return err
			}
		}
		if err := assign(s.group.Path(), missing); err != nil {
			return err
		}
	}
	return nil // the next reading continues
}

// members lists the threads in a domain's monitoring group, if it is still there: it ends with
// the group of a class.
func (m *Monitor) members(s *counted) ([]int, error) {
	if s.group == nil {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(s.group.Path(), "tasks"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		s.group = nil
		return nil, nil
	}
	return cgroup.AppendNumbers(nil, text), err
}

// without is all but those.
func without(all, those []int) (rest []int) {
	in := make(map[int]bool, len(those))
	for _, tid := range those {
		in[tid] = true
	}
	return slices.DeleteFunc(slices.Clone(all), func(tid int) bool { return in[tid] })
}

// assign moves threads into a group. The library's AssignPID would first read the lists of all
// groups for each of them.
func assign(group string, tids []int) (err error) {
	if len(tids) == 0 {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(group, "tasks"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, tid := range tids {
		if _, err := f.WriteString(strconv.Itoa(tid) + "\n"); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// class is the group of a class in which threads are, the same for all; empty: the default
// one. It is false if all have ended. What other programs' groups contain is left there.
func (m *Monitor) class(tids []int) (class string, ok bool, err error) {
	for _, tid := range tids {
		text, err := os.ReadFile(filepath.Join(m.proc, strconv.Itoa(tid), "cpu_resctrl_groups"))
		if errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", false, err
		}
		first, second, _ := strings.Cut(string(text), "\n")
		control := strings.TrimPrefix(strings.TrimPrefix(first, "res:"), "/")
		for _, name := range []string{control, strings.TrimSpace(strings.TrimPrefix(second, "mon:"))} {
			if name != "" && !strings.HasPrefix(name, m.prefix) {
				return "", false, fmt.Errorf("thread %d is in another program's group %q in %s", tid, name, m.root)
			}
		}
		if ok && control != class {
			return "", false, fmt.Errorf("its threads are in two groups in %s: %q and %q", m.root, class, control)
		}
		class, ok = control, true
	}
	return class, ok, nil
}

// count reads what a domain has in the caches, and adds what it has moved.
func (m *Monitor) count(id string, s *counted) (occupied uint64, err error) {
	values, err := m.groups.ReadCounters(m.prefix + id)
	if err != nil {
		return 0, err
	}
	caches, err := filepath.Glob(filepath.Join(s.group.Path(), "mon_data", "mon_L3_*"))
	if err != nil {
		return 0, err
	}
	sum, of := make(map[string]uint64), make(map[string]int)
	for _, v := range values {
		sum[v.Name] += uint64(v.Value)
		of[v.Name]++
	}
	for _, name := range []string{occupancy, traffic} {
		// The library leaves out what the kernel calls "Unavailable" or "Error".
		if n := of[name]; (name == occupancy || m.has.traffic) && (n < len(caches) || n == 0) {
			return 0, fmt.Errorf("the kernel has %s of %d of %d caches in %s", name, n, len(caches), s.group.Path())
		}
	}
	if now := sum[traffic]; s.of == s.group.Gen() && now >= s.last {
		s.moved += now - s.last
	}
	s.last, s.of = sum[traffic], s.group.Gen()
	return sum[occupancy], nil
}

// remove removes a domain's monitoring group, if there is one.
func (m *Monitor) remove(id string) error {
	if err := m.groups.Remove(m.prefix + id); err != nil && !errors.Is(err, monitor.ErrNotTracked) {
		return err
	}
	return nil
}

func (m *Monitor) forget(id string) error {
	err := m.remove(id)
	if err == nil {
		delete(m.seen, id)
	}
	return err
}

// Close implements [memory.CacheMonitor].
func (m *Monitor) Close() error {
	var errs []error
	for id := range m.seen {
		errs = append(errs, m.forget(id))
	}
	return errors.Join(errs...)
}
