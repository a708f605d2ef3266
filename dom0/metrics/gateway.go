// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	gatewayClients  = onTarget("clients", "Channels of users other than root that are open to the domain.")
	gatewayQueue    = onTarget("queue_length", "Calls of users other than root that wait for their turn, as far as their clients say.")
	gatewayCalls    = onTarget("calls_total", "Calls of users other than root that have ended: done, failed, timeout (given up) or denied by the rules.", "outcome")
	gatewayWedged   = describe("gateway_wedged", "Whether the domain's vLib OS does not come back from a call.", "uuid", "name")
	gatewayRestarts = describe("gateway_restarts_total", "Restarts of the domain because its vLib OS was wedged.", "uuid", "name")
)

var gatewayDescs = []*prometheus.Desc{gatewayClients, gatewayQueue, gatewayCalls, gatewayWedged, gatewayRestarts}

func onTarget(name, help string, more ...string) *prometheus.Desc {
	return describe("gateway_"+name, help, append([]string{"uuid", "name", "port"}, more...)...)
}

// called remembers the domains that the names in rules mean, so that a domain
// that is gone for a while keeps its labels.
type called struct {
	mu    sync.Mutex
	known map[string]identity
}

// identity of a domain, as labels.
type identity struct{ uuid, name string }

// identify returns the domains that names mean. A domain that never existed has
// no UUID.
func (c *collector) identify(ctx context.Context, refs []string) (map[string]identity, error) {
	found, err := c.Master.Identify(ctx, refs)
	c.called.mu.Lock()
	defer c.called.mu.Unlock()
	now := make(map[string]identity, len(refs))
	for _, ref := range refs {
		if d, ok := found[ref]; ok {
			now[ref] = identity{d.UUID, d.Name}
		} else if was, ok := c.called.known[ref]; ok {
			now[ref] = was
		} else {
			now[ref] = identity{"", ref}
		}
		l := clean([]string{now[ref].uuid, now[ref].name})
		now[ref] = identity{l[0], l[1]}
	}
	c.called.known = now
	return now, err
}

// collectGateway adds up targets that are the same domain, named by its name
// and by its UUID.
func (c *collector) collectGateway(ctx context.Context, to chan<- prometheus.Metric) error {
	targets, watched := c.Gateway.List(), c.Gateway.Watched()
	var refs []string
	for _, t := range targets {
		refs = append(refs, t.Domain)
	}
	for _, w := range watched {
		refs = append(refs, w.Domain)
	}
	ids, err := c.identify(ctx, refs)

	type target struct {
		identity
		port string
	}
	type sums struct{ clients, waiting, done, failed, timeouts, denied uint64 }
	ports := make(map[target]sums)
	for _, t := range targets {
		key := target{ids[t.Domain], strconv.FormatUint(uint64(t.Port), 10)}
		s := ports[key]
		s.clients, s.waiting = s.clients+t.Clients, s.waiting+uint64(t.Waiting)
		s.done, s.failed = s.done+t.Done, s.failed+t.Failed-min(t.Timeouts, t.Failed) // the counters are read one after the other
		s.timeouts, s.denied = s.timeouts+t.Timeouts+t.Expired, s.denied+t.Refused
		ports[key] = s
	}
	for key, s := range ports {
		l := []string{key.uuid, key.name, key.port}
		gauge(to, gatewayClients, float64(s.clients), l...)
		gauge(to, gatewayQueue, float64(s.waiting), l...)
		counter(to, gatewayCalls, float64(s.done), append(l, "done")...)
		counter(to, gatewayCalls, float64(s.failed), append(l, "failed")...)
		counter(to, gatewayCalls, float64(s.timeouts), append(l, "timeout")...)
		counter(to, gatewayCalls, float64(s.denied), append(l, "denied")...)
	}

	type wedge struct {
		now      bool
		restarts int
	}
	wedges := make(map[identity]wedge)
	for _, w := range watched {
		sum := wedges[ids[w.Domain]]
		wedges[ids[w.Domain]] = wedge{sum.now || w.Wedged, sum.restarts + w.Restarts}
	}
	for id, w := range wedges {
		gauge(to, gatewayWedged, truth(w.now), id.uuid, id.name)
		counter(to, gatewayRestarts, float64(w.restarts), id.uuid, id.name)
	}
	return err
}
