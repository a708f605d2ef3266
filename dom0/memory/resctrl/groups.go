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

	"github.com/intel/goresctrl/pkg/rdt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
)

// prefix of the groups of one owner, which begins no other's.
func prefix(owner string) string { return strings.NewReplacer("/", "-", ".", "-").Replace(owner) + "." }

// rounds bounds the search for threads that a domain starts meanwhile. Threads
// inherit the group of the thread that starts them.
const rounds = 5

// Threads returns the threads of a domain; host.ErrNoDomain.
type Threads func(domain string) ([]int, error)

// Groups implements [memory.CachePartitioner].
type Groups struct {
	prefix  string
	layout  cache.Layout
	threads Threads

	given  []memory.CacheShare // of the last Apply
	joined map[string]bool     // domains that may have threads in a group
}

var _ memory.CachePartitioner = (*Groups)(nil)

// quiet: the library prints each configuration.
var quiet = sync.OnceFunc(func() { rdt.SetLogger(slog.New(slog.DiscardHandler)) })

// Open removes the groups of an earlier process of the same owner: the cgroup of all
// domains. A process has one Groups at a time.
func Open(owner string, threads Threads) (*Groups, error) {
	l, err := Layout(Root)
	if err != nil {
		return nil, err
	}
	quiet()
	g := &Groups{prefix: prefix(owner), layout: l, threads: threads, joined: make(map[string]bool)}
	if err := rdt.Initialize(g.prefix); err != nil {
		return nil, fmt.Errorf("cache classes: %w", err)
	}
	return g, g.move(nil)
}

// Layout implements [memory.CachePartitioner].
func (g *Groups) Layout() cache.Layout { return g.layout }

// CanFollow implements [memory.CachePartitioner].
func (g *Groups) CanFollow() error {
	return fmt.Errorf("%w: threads stay in their group while they serve", host.ErrNotHere)
}

// Close implements [memory.CachePartitioner].
func (g *Groups) Close() error { return g.move(nil) }

// Apply implements [memory.CachePartitioner].
func (g *Groups) Apply(_ context.Context, shares []memory.CacheShare) error {
	if err := g.room(shares); err != nil {
		return err
	}
	if err := g.move(shares); err != nil {
		return errors.Join(err, g.move(g.given))
	}
	g.given = slices.Clone(shares)
	return nil
}

// room returns an error if groups of others leave no class of service for these shares.
// The library would find out after it has removed groups.
func (g *Groups) room(shares []memory.CacheShare) error {
	entries, err := os.ReadDir(Root)
	if err != nil {
		return err
	}
	var others []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(Root, e.Name(), "tasks")); errors.Is(err, fs.ErrNotExist) || !e.IsDir() {
			continue
		}
		if !strings.HasPrefix(e.Name(), g.prefix) {
			others = append(others, e.Name())
		}
	}
	classes := make(map[string]bool)
	for _, s := range shares {
		classes[s.Class] = true
	}
	if free := g.layout.Groups - len(others); len(classes) > free {
		return fmt.Errorf("cache classes: no class of service is free for %d of %d classes: other groups in %s occupy %d (%.200s)",
			len(classes)-free, len(classes), Root, len(others), strings.Join(others, " "))
	}
	return nil
}

// move makes groups for these shares and moves threads. The library removes the others of
// the prefix, whose threads the kernel puts into the default group.
func (g *Groups) move(shares []memory.CacheShare) error {
	if err := rdt.SetConfig(config(g.layout, shares), true); err != nil {
		return fmt.Errorf("set cache classes%s: %w", list(shares), err)
	}
	class := make(map[string]string)
	for _, s := range shares {
		class[s.ID] = s.Class
	}
	for domain := range g.joined {
		if class[domain] == "" {
			if err := g.put(domain, rdt.RootClassName); err != nil {
				return fmt.Errorf("move domain %s out of its class: %w", domain, err)
			}
			delete(g.joined, domain)
		}
	}
	for _, s := range shares {
		g.joined[s.ID] = true
		if err := g.put(s.ID, s.Class); err != nil {
			return fmt.Errorf("move domain %s into class %q: %w", s.ID, s.Class, err)
		}
	}
	return nil
}

// list names the classes of shares.
func list(shares []memory.CacheShare) string {
	var b strings.Builder
	seen := make(map[string]bool)
	for _, s := range shares {
		if !seen[s.Class] {
			seen[s.Class] = true
			fmt.Fprintf(&b, " %s (%v)", s.Class, s.Masks)
		}
	}
	return b.String()
}

// put moves the threads of a domain. A domain that has gone has none.
func (g *Groups) put(domain, class string) error {
	group, ok := rdt.GetClass(class)
	if !ok {
		return errors.New("the group has been removed")
	}
	for range rounds {
		pids, err := group.GetPids()
		if err != nil {
			return err
		}
		there := make(map[string]bool, len(pids))
		for _, pid := range pids {
			there[pid] = true
		}
		tids, err := g.threads(domain)
		if errors.Is(err, host.ErrNoDomain) {
			return nil
		}
		if err != nil {
			return err
		}
		var missing []string
		for _, tid := range tids {
			if pid := strconv.Itoa(tid); !there[pid] {
				missing = append(missing, pid)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		if err := group.AddPids(missing...); err != nil {
			return err
		}
	}
	return nil // the next call continues
}
