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
	// Dir has the sockets, DIR/DOMAIN/PORT.sock. It is for the gateway only:
	// sockets that an earlier one left are removed.
	Dir string
	// Find opens the domain with that name or UUID.
	Find func(ctx context.Context, domain string) (Domain, error)
	// Pay returns the reservation that is charged for a rule's calls to the
	// domain as it is now. nil: the host charges no calls.
	Pay func(ctx context.Context, r policy.Rule) (reservation uint32, err error)
	// Stuck returns those of some domains whose servers hang according to the
	// host: calls wait, of any origin, and the server works on an abandoned
	// call. nil: the host cannot tell.
	Stuck func(ctx context.Context, domains []string) ([]string, error)
	Log   *slog.Logger
}

// Gateway serves the sockets of one host. Its methods may be called
// concurrently.
type Gateway struct {
	o     Options
	quota *quota
	allow atomic.Pointer[policy.Rules]

	mu      sync.Mutex // also held from Prepare to the end of the change
	targets map[policy.Target]*target
	guards  map[string]*guard // by domain
	others  others
}

// Open makes a gateway that serves nothing yet. The caller ensures that no
// other gateway uses Dir.
func Open(o Options) (*Gateway, error) {
	if err := os.RemoveAll(o.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.Mkdir(o.Dir, 0o755); err != nil {
		return nil, err
	}
	g := &Gateway{o: o, quota: newQuota(), targets: make(map[policy.Target]*target), guards: make(map[string]*guard)}
	g.allow.Store(new(policy.Rules))
	return g, os.Chmod(o.Dir, 0o755) // with any umask
}

// Reachable returns an error if users other than root cannot reach the sockets.
func (g *Gateway) Reachable() error {
	parent := filepath.Dir(g.o.Dir)
	info, err := os.Stat(parent)
	if err == nil && info.Mode()&0o001 == 0 {
		err = fmt.Errorf("%s has the sockets for users other than root, but they may not enter it: chmod 755 %s", parent, parent)
	}
	return err
}

func (g *Gateway) rules() policy.Rules { return *g.allow.Load() }

func (g *Gateway) dir(t policy.Target) string { return filepath.Join(g.o.Dir, t.Domain) }

// pay returns the reservation that is charged for a rule's calls; 0: none.
func (g *Gateway) pay(ctx context.Context, r *policy.Rule) (uint32, error) {
	switch {
	case r.Budget == 0:
		return 0, nil
	case g.o.Pay == nil:
		return 0, errors.New("this host charges no calls to a reservation")
	}
	return g.o.Pay(ctx, *r)
}

// Change is a new configuration whose sockets exist already.
type Change struct {
	g       *Gateway
	rules   policy.Rules
	wedging []policy.Wedging
	added   []*target
}

// Prepare makes the sockets that new rules need. After an error nothing has
// changed. The change ends with Commit or Abort; until then other changes wait.
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

// Abort removes the new sockets.
func (c *Change) Abort() {
	defer c.g.mu.Unlock()
	for _, t := range c.added {
		t.close()
		os.Remove(c.g.dir(t.Target)) // unless it has others' sockets
	}
}

// Commit applies the new rules, to open channels too, and closes the sockets
// that no rule names any more.
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

// Close cancels the calls that are under way, and removes the sockets.
func (g *Gateway) Close() error {
	c, err := g.Prepare(nil, nil)
	if err != nil {
		return err
	}
	c.Commit()
	g.quota.close()
	return os.RemoveAll(g.o.Dir)
}
