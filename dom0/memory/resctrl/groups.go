// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
)

// prefix of this package's groups.
const prefix = "vlibos."

// rounds bounds the search for threads that a domain starts meanwhile. Threads
// inherit the group of the thread that starts them.
const rounds = 5

// Threads returns the threads of a domain; host.ErrNoDomain.
type Threads func(domain string) ([]int, error)

// Groups implements [memory.CachePartitioner].
type Groups struct {
	root    string
	tree    tree
	threads Threads
	sys     system

	given  []memory.CacheShare // of the last Apply
	group  map[string]cache.Masks
	joined map[string]string // class by domain
}

var _ memory.CachePartitioner = (*Groups)(nil)

// Open removes the groups of an earlier process.
func Open(root string, threads Threads) (*Groups, error) { return open(root, threads, kernel) }

func open(root string, threads Threads, sys system) (*Groups, error) {
	t, err := readTree(root)
	if err != nil {
		return nil, err
	}
	g := &Groups{root: root, tree: t, threads: threads, sys: sys, group: make(map[string]cache.Masks), joined: make(map[string]string)}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if name, ours := strings.CutPrefix(e.Name(), prefix); ours && e.IsDir() {
			if err := g.remove(name); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

// Layout implements [memory.CachePartitioner].
func (g *Groups) Layout() cache.Layout { return g.tree.layout }

// Close implements [memory.CachePartitioner].
func (g *Groups) Close() error { return g.move(nil) }

// Apply implements [memory.CachePartitioner].
func (g *Groups) Apply(_ context.Context, shares []memory.CacheShare) error {
	if err := g.move(shares); err != nil {
		return errors.Join(err, g.move(g.given))
	}
	g.given = slices.Clone(shares)
	return nil
}

// move creates, changes and removes groups for these shares and moves threads. It
// stops at the first error.
func (g *Groups) move(shares []memory.CacheShare) error {
	groups, class := make(map[string]cache.Masks), make(map[string]string)
	for _, s := range shares {
		groups[s.Class], class[s.ID] = s.Masks, s.Class
	}
	for _, name := range slices.Sorted(maps.Keys(g.group)) {
		if _, wanted := groups[name]; !wanted {
			if err := g.remove(name); err != nil {
				return err
			}
			delete(g.group, name)
			maps.DeleteFunc(g.joined, func(_, in string) bool { return in == name })
		}
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if err := g.shape(name, groups[name]); err != nil {
			return err
		}
	}
	for domain := range g.joined {
		if class[domain] == "" {
			if err := g.put(domain, g.root); err != nil {
				return fmt.Errorf("move domain %s out of its class: %w", domain, err)
			}
			delete(g.joined, domain)
		}
	}
	for _, s := range shares {
		if err := g.put(s.ID, g.dir(s.Class)); err != nil {
			return fmt.Errorf("move domain %s into class %q: %w", s.ID, s.Class, err)
		}
		g.joined[s.ID] = s.Class
	}
	return nil
}

func (g *Groups) dir(class string) string { return filepath.Join(g.root, prefix+class) }

// remove deletes a group. The kernel puts its threads into the default group.
func (g *Groups) remove(class string) error {
	if err := g.sys.rmdir(g.dir(class)); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("class %q: %w", class, err)
	}
	return nil
}

// shape creates or changes a group. An error leaves it as it was.
func (g *Groups) shape(class string, m cache.Masks) error {
	was, known := g.group[class]
	if known && was == m {
		return nil
	}
	if !known {
		err := g.sys.mkdir(g.dir(class))
		if errors.Is(err, unix.ENOSPC) {
			err = fmt.Errorf("no class of service is free: other groups in %s occupy them: %w", g.root, err)
		}
		if err != nil {
			return fmt.Errorf("class %q: %w", class, err)
		}
	}
	if err := g.sys.write(filepath.Join(g.dir(class), "schemata"), g.tree.schemata(m)); err != nil {
		err = fmt.Errorf("class %q: %v: %w%s", class, m, err, g.why())
		if !known {
			err = errors.Join(err, g.remove(class))
		}
		return err
	}
	g.group[class] = m
	return nil
}

// why returns the kernel's reason for the last command's failure.
func (g *Groups) why() string {
	text, err := os.ReadFile(filepath.Join(g.root, "info", "last_cmd_status"))
	if s := strings.TrimSpace(string(text)); err == nil && s != "" && s != "ok" {
		return fmt.Sprintf(" (%.200q)", s)
	}
	return ""
}

// put moves the threads of a domain. A domain that has gone has none.
func (g *Groups) put(domain, dir string) error {
	file := filepath.Join(dir, "tasks")
	for range rounds {
		there, err := tasks(file)
		if err != nil {
			return err
		}
		tids, err := g.threads(domain)
		if errors.Is(err, host.ErrNoDomain) {
			return nil
		}
		if err != nil {
			return err
		}
		moved := false
		for _, tid := range tids {
			if there[tid] {
				continue
			}
			if err := g.sys.write(file, strconv.Itoa(tid)); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("thread %d: %w%s", tid, err, g.why())
			}
			moved = true
		}
		if !moved {
			return nil
		}
	}
	return nil // the next call continues
}

func tasks(file string) (map[int]bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	all := make(map[int]bool)
	for word := range strings.FieldsSeq(string(text)) {
		if tid, err := strconv.Atoi(word); err == nil {
			all[tid] = true
		}
	}
	return all, nil
}
