// SPDX-License-Identifier: Apache-2.0

package caching

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/throttle/cache"
)

// review is how often new domains are looked for.
const review = 5 * time.Second

// Lister lists domains: a host.
type Lister interface {
	Domains(context.Context) ([]host.Domain, error)
}

// Open opens a host's partitioner; host.ErrNotHere if it has none.
type Open func() (memory.CachePartitioner, error)

// Manager carries out the classes of a configuration. It is safe for concurrent use.
type Manager struct {
	open Open
	list Lister
	log  *slog.Logger

	mu      sync.Mutex
	host    memory.CachePartitioner // nil: not opened
	current []config.Cache
	plan    cache.Plan         // of current
	policy  *cache.Repartition // nil: no ways move
	monitor monitor
	asked   map[string]string // class by UUID, of domains that the configuration leaves open
	// The last logged state.
	class   map[string]string // by domain
	problem string
	absent  string // named domains that do not exist
}

// NewManager returns a manager without classes.
func NewManager(open Open, watch OpenMonitor, list Lister, log *slog.Logger) *Manager {
	return &Manager{open: open, list: list, log: log, monitor: monitor{open: watch}}
}

// Move carries out the classes of a configuration and calls then. An error of either
// leaves everything as it was.
func (m *Manager) Move(ctx context.Context, want []config.Cache, then func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.current
	if err := m.set(ctx, want); err != nil {
		return err
	}
	if err := then(); err != nil {
		return errors.Join(err, m.set(ctx, was))
	}
	return nil
}

func (m *Manager) set(ctx context.Context, want []config.Cache) error {
	if m.host == nil {
		p, err := m.open()
		if err != nil && len(want) == 0 {
			if !errors.Is(err, host.ErrNotHere) {
				m.log.Warn("cache classes: the settings of an earlier master are not restored", "because", err)
			}
			return nil
		}
		if errors.Is(err, host.ErrNotHere) {
			err = fmt.Errorf("%w: remove the tables [[cache]]", err)
		}
		if err != nil {
			return err
		}
		m.host = p
	}
	same := reflect.DeepEqual(m.current, want)
	plan := m.plan // of the same classes: with the ways that have moved
	if !same {
		classes := make([]cache.Class, len(want))
		for i, c := range want {
			classes[i] = c.Class
		}
		var err error
		if plan, err = cache.Make(classes, m.host.Layout()); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
	}
	if slices.ContainsFunc(want, func(c config.Cache) bool { return c.FollowCalls }) {
		if err := m.host.CanFollow(); err != nil {
			return fmt.Errorf("cache: follow_calls: %w: remove the key", err)
		}
	}
	if err := m.apply(ctx, want, plan); err != nil || same {
		return err
	}
	for i, c := range want {
		m.log.Info("cache class", "name", c.Name, "masks", plan.Masks[i], "classes", plan.Sharing(), "domains", strings.Join(c.Domains, ", "))
	}
	m.current, m.plan, m.policy = want, plan, nil
	if v := plan.Moving; len(v.At) > 0 {
		m.policy = cache.NewRepartition(v.Ways, v.Least)
	}
	return nil
}

// apply puts all domains into their classes.
func (m *Manager) apply(ctx context.Context, want []config.Cache, plan cache.Plan) error {
	var shares []memory.CacheShare
	missing := ""
	if len(want) > 0 {
		all, err := m.list.Domains(ctx)
		if err != nil {
			return err
		}
		if shares, err = resolve(want, m.asked, plan, all); err != nil {
			return err
		}
		missing = absent(want, all)
	}
	if err := m.host.Apply(ctx, shares); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	class := make(map[string]string)
	for _, s := range shares {
		class[s.ID] = s.Class
		if m.class[s.ID] != s.Class {
			m.log.Info("in a cache class", "domain", s.Domain.String(), "class", s.Class)
		}
	}
	m.class = class
	if missing != m.absent && missing != "" {
		m.log.Warn("cache classes: these domains do not exist", "domains", missing)
	}
	m.absent = missing
	return nil
}

// absent returns the names and UUIDs that no domain has.
func absent(want []config.Cache, all []host.Domain) string {
	var none []string
	for _, c := range want {
		for _, ref := range c.Domains {
			if ref != config.Others && !slices.ContainsFunc(all, func(d host.Domain) bool { return d.Means(ref) }) {
				none = append(none, ref)
			}
		}
	}
	return strings.Join(none, ", ")
}

// resolve finds the class of each domain: the one that names it, or the one that it
// has asked for, or that of all others.
func resolve(want []config.Cache, asked map[string]string, plan cache.Plan, all []host.Domain) ([]memory.CacheShare, error) {
	others := slices.IndexFunc(want, func(c config.Cache) bool { return slices.Contains(c.Domains, config.Others) })
	var shares []memory.CacheShare
	for _, d := range all {
		in := others
		if i := slices.IndexFunc(want, func(c config.Cache) bool { return c.Name == asked[d.UUID] }); i >= 0 {
			in = i
		}
		if d.Control {
			in = -1
		}
		named := ""
		for i, c := range want {
			for _, ref := range c.Domains {
				if !d.Means(ref) {
					continue
				}
				if named != "" && in != i {
					return nil, fmt.Errorf("cache: domain %v is in class %q as %q and in class %q as %q", d, want[in].Name, named, c.Name, ref)
				}
				in, named = i, ref
			}
		}
		if in >= 0 {
			shares = append(shares, memory.CacheShare{Domain: d, Class: want[in].Name, Masks: plan.Masks[in], Follow: want[in].FollowCalls && !d.Control})
		}
	}
	return shares, nil
}

// Ask replaces the classes that domains have asked for, by UUID. It returns why some
// are not in theirs.
func (m *Manager) Ask(ctx context.Context, asked map[string]string) map[string]error {
	m.mu.Lock()
	changed := !maps.Equal(m.asked, asked)
	m.asked = asked
	problems := make(map[string]error)
	for uuid, class := range asked {
		if !slices.ContainsFunc(m.current, func(c config.Cache) bool { return c.Name == class }) {
			problems[uuid] = fmt.Errorf("the configuration has no cache class %.80q", class)
		}
		for _, c := range m.current {
			if slices.ContainsFunc(c.Domains, func(ref string) bool { return strings.EqualFold(ref, uuid) }) && c.Name != class {
				problems[uuid] = fmt.Errorf("the configuration has precedence: cache class %q", c.Name)
			}
		}
	}
	m.mu.Unlock()
	if changed {
		m.look(ctx)
	}
	return problems
}

// Run puts new domains into their classes until ctx ends.
func (m *Manager) Run(ctx context.Context) error {
	clock.Every(ctx, review, func() { m.look(ctx) })
	return nil
}

// look reads the use of caches, so that no counter wraps twice, and applies the classes
// again. It logs an error when it changes.
func (m *Manager) look(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.measure(ctx)
	if m.host == nil || len(m.current) == 0 {
		return
	}
	problem := ""
	if err := errors.Join(m.move(), m.apply(ctx, m.current, m.plan)); err != nil {
		problem = err.Error()
	}
	if problem != m.problem && problem != "" {
		m.log.Warn("cache classes: not all is as it should be", "error", problem)
	}
	m.problem = problem
}

// Class is the class in which a domain with this ID is; empty: none.
func (m *Manager) Class(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.class[id]
}

// Close restores the settings that domains had before.
func (m *Manager) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.monitor.close()
	if m.host == nil {
		return err
	}
	err = errors.Join(err, m.host.Close())
	m.host = nil
	return err
}
