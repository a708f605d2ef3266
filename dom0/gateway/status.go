// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// counts of a target's calls, since it is there.
type counts struct {
	clients, calls, answered, failed, timeouts, expired, refused atomic.Uint64
}

// Status is how a target fares. Counts are since the rules name it.
type Status struct {
	Domain  string `json:"domain"` // as the rules name it
	Port    uint32 `json:"port"`
	Clients uint64 `json:"clients"` // channels that are open to it
	Waiting int    `json:"waiting"` // calls whose turn has not come, as far as their clients say
	Calls   uint64 `json:"calls"`   // that rules allowed
	Done    uint64 `json:"done"`    // of them: answered with a result
	Failed  uint64 `json:"failed"`  // of them: all others that have ended
	// Timeouts are those of the failed that were given up: at the rule's
	// timeout, at the caller's, or by its end. Expired are given up before
	// their turn came, and are no Calls.
	Timeouts uint64 `json:"timeouts"`
	Expired  uint64 `json:"expired"`
	Refused  uint64 `json:"refused"` // for want of a rule
}

func (t *target) status() Status {
	waiting := t.listen.Unanswered()
	if t.busy.Load() {
		waiting-- // it is under way
	}
	return Status{
		Domain: t.Domain, Port: t.Port, Clients: t.clients.Load(), Waiting: max(waiting, 0), Calls: t.calls.Load(),
		Done: t.answered.Load(), Failed: t.failed.Load(), Timeouts: t.timeouts.Load(), Expired: t.expired.Load(), Refused: t.refused.Load(),
	}
}

// List says how the targets fare, by name.
func (g *Gateway) List() []Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]Status, 0, len(g.targets))
	for _, t := range g.targets {
		all = append(all, t.status())
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Port, b.Port))
	})
	return all
}

// Watched is a domain whose vLib OS is watched.
type Watched struct {
	Domain   string        `json:"domain"`   // as the configuration names it
	Wedged   bool          `json:"wedged"`   // it does not come back
	For      time.Duration `json:"for_ns"`   // so long
	Restarts int           `json:"restarts"` // since the master began
}

// Watched lists all that are watched, by name.
func (g *Gateway) Watched() []Watched {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]Watched, 0, len(g.guards))
	for _, name := range slices.Sorted(maps.Keys(g.guards)) {
		w := Watched{Domain: name, Wedged: g.guards[name].wedge.Known, Restarts: g.guards[name].wedge.Count}
		if w.Wedged {
			w.For = time.Since(g.guards[name].wedge.Since)
		}
		all = append(all, w)
	}
	return all
}

// Wedged lists those of them that do not come back.
func (g *Gateway) Wedged() []Watched {
	return slices.DeleteFunc(g.Watched(), func(w Watched) bool { return !w.Wedged })
}
