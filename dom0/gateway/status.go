// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// counts are the calls of a target since the rules name it.
type counts struct {
	clients, calls, answered, failed, timeouts, expired, refused atomic.Uint64
}

func (t *target) status() api.Target {
	waiting := t.listen.Unanswered()
	if t.busy.Load() {
		waiting-- // one of them is under way
	}
	return api.Target{
		Domain: t.Domain, Port: transport.Port(t.Port), Clients: t.clients.Load(), Waiting: max(waiting, 0), Calls: t.calls.Load(),
		Done: t.answered.Load(), Failed: t.failed.Load(), Timeouts: t.timeouts.Load(), Expired: t.expired.Load(), Refused: t.refused.Load(),
	}
}

// List returns the targets, by name.
func (g *Gateway) List() []api.Target {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]api.Target, 0, len(g.targets))
	for _, t := range g.targets {
		all = append(all, t.status())
	}
	slices.SortFunc(all, func(a, b api.Target) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Port, b.Port))
	})
	return all
}

// Watched returns the domains that are watched, by name.
func (g *Gateway) Watched() []api.Watched {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]api.Watched, 0, len(g.guards))
	for _, name := range slices.Sorted(maps.Keys(g.guards)) {
		w := api.Watched{Domain: name, Wedged: g.guards[name].wedge.Known, Restarts: g.guards[name].wedge.Count}
		if w.Wedged {
			w.For = time.Since(g.guards[name].wedge.Since)
		}
		all = append(all, w)
	}
	return all
}
