// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vlibos/vlibos/dom0/gateway/policy"
)

// Options of a gateway.
type Options struct {
	// Dir has the sockets, DIR/DOMAIN/PORT.sock. It is the gateway's alone:
	// what lies there is a dead one's, and removed.
	Dir string
	// Find opens a way to the domain with that name or UUID.
	Find func(ctx context.Context, domain string) (Domain, error)
	// Pay returns the reservation that pays for a rule's calls, ready for the
	// domain as it is now. nil: nobody pays for calls.
	Pay func(ctx context.Context, r policy.Rule) (reservation uint32, err error)
	// Stuck returns those of some domains that calls wait for and that are at
	// none that anybody waits for, whoever made them. nil: the host cannot
	// tell.
	Stuck func(ctx context.Context, domains []string) ([]string, error)
	Log   *slog.Logger
}

// Gateway is a host's. Its methods may be called at the same time.
type Gateway struct {
	o     Options
	quota *quota
	allow atomic.Pointer[policy.Rules]

	mu      sync.Mutex // a new configuration, and what it brings
	targets map[policy.Target]*target
	guards  map[string]*guard // by domain
	others  others
}

// Open makes a gateway that serves nothing yet. The caller makes sure that
// there is one for Dir.
func Open(o Options) (*Gateway, error) {
	if err := os.RemoveAll(o.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.Mkdir(o.Dir, 0o755); err != nil {
		return nil, err
	}
	g := &Gateway{o: o, quota: newQuota(), targets: make(map[policy.Target]*target), guards: make(map[string]*guard)}
	g.allow.Store(new(policy.Rules))
	return g, os.Chmod(o.Dir, 0o755) // whatever the umask is
}

// Reachable is an error if users other than root cannot come to the sockets.
func (g *Gateway) Reachable() error {
	parent := filepath.Dir(g.o.Dir)
	info, err := os.Stat(parent)
	if err == nil && info.Mode()&0o001 == 0 {
		err = fmt.Errorf("%s has the sockets for calls by users, who may not enter it: chmod 755 %s", parent, parent)
	}
	return err
}

func (g *Gateway) rules() policy.Rules { return *g.allow.Load() }

func (g *Gateway) dir(t policy.Target) string { return filepath.Join(g.o.Dir, t.Domain) }

// payer is the key of the reservation that pays for a rule's calls.
func (g *Gateway) payer(r *policy.Rule) string {
	if r.Budget == 0 {
		return ""
	}
	return r.Key()
}

func (g *Gateway) pay(ctx context.Context, r *policy.Rule) (uint32, error) {
	switch {
	case r.Budget == 0:
		return 0, nil
	case g.o.Pay == nil:
		return 0, fmt.Errorf("nobody pays for calls on this host")
	}
	return g.o.Pay(ctx, *r)
}

// Change is a configuration that can be taken: its sockets are there.
type Change struct {
	g       *Gateway
	rules   policy.Rules
	wedging []policy.Wedging
	added   []*target
}

// Prepare makes the sockets that new rules need. An error leaves all as it was.
// The change ends with Commit or Abort; until then there is no other.
func (g *Gateway) Prepare(rules policy.Rules, wedging []policy.Wedging) (*Change, error) {
	g.mu.Lock()
	c := &Change{g: g, rules: rules, wedging: wedging}
	for _, what := range rules.Targets() {
		if g.targets[what] != nil {
			continue
		}
		t, err := g.newTarget(what)
		if err != nil {
			c.Abort()
			return nil, err
		}
		go t.run()
		c.added = append(c.added, t)
	}
	return c, nil
}

// Abort takes the sockets away again.
func (c *Change) Abort() {
	defer c.g.mu.Unlock()
	for _, t := range c.added {
		t.close()
		os.Remove(c.g.dir(t.Target)) // unless others are in it
	}
}

// Commit has the new rules hold, for calls of channels that are open already
// too, and ends those to what no rule names any more.
func (c *Change) Commit() {
	g := c.g
	defer g.mu.Unlock()
	g.allow.Store(&c.rules)
	for _, t := range c.added {
		g.targets[t.Target] = t
	}
	named := c.rules.Targets()
	for what, t := range g.targets {
		if !slices.Contains(named, what) {
			t.close()
			delete(g.targets, what)
			os.Remove(g.dir(what))
		}
	}
	g.watch(c.wedging)
}

// Close ends all calls that are under way, as cancelled, and removes the
// sockets.
func (g *Gateway) Close() error {
	c, err := g.Prepare(nil, nil)
	if err != nil {
		return err
	}
	c.Commit()
	g.quota.close()
	return os.RemoveAll(g.o.Dir)
}
