// SPDX-License-Identifier: Apache-2.0

package caching

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
)

// A class that fills its ways and misses gets those of a class that does not, down to the least
// of that. A domain whose use is not known stops it, and one that has ended does not. The same
// configuration leaves the ways, and another one begins again.
func TestWaysMoveByWhatDomainsFillAndMiss(t *testing.T) {
	h, log := newHost(), new(bytes.Buffer)
	f := &fakeMonitor{}
	m := NewManager(func() (memory.CachePartitioner, error) { return h, nil }, func() (memory.CacheMonitor, error) { return f, nil },
		h, slog.New(slog.NewTextHandler(log, nil)))
	share := func(name, domain string) config.Cache {
		return config.Cache{Class: cache.Class{Name: name, L3: 50, L3Least: 20}, Domains: []string{domain}}
	}
	both := []config.Cache{share("victim", "web"), share("idle", "db")}
	if err := m.Move(t.Context(), both, nothing); err != nil {
		t.Fatal(err)
	}
	// The capacity is 100, of ten ways. Web needs seven, and misses what of them is missing.
	decide := func() {
		ways := m.plan.Moving.Ways[0]
		m.mu.Lock()
		defer m.mu.Unlock()
		m.monitor.problem, m.monitor.source = "", f
		m.monitor.use = map[string]host.CacheUse{"1": {Occupied: uint64(10 * min(ways, 7)), Rate: float64(1000 * max(7-ways, 0))}, "2": {Occupied: 10}}
		if err := m.move(); err != nil {
			t.Fatal(err)
		}
		if err := m.apply(t.Context(), m.current, m.plan); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		decide()
	}
	if want := map[string]string{"1": "victim L3 0x7f", "2": "idle L3 0x380"}; !reflect.DeepEqual(h.shares, want) {
		t.Errorf("%v, want %v", h.shares, want)
	}
	if !strings.Contains(log.String(), "ways move between cache classes") {
		t.Errorf("log: %s", log)
	}
	if err := m.Move(t.Context(), both, nothing); err != nil || m.plan.Moving.Ways[0] != 7 || h.shares["1"] != "victim L3 0x7f" {
		t.Errorf("the same configuration again: %v, %v, %v", m.plan.Moving, h.shares, err)
	}
	delete(m.monitor.use, "2")
	if err := m.move(); err != nil {
		t.Errorf("a domain that has ended: %v", err)
	}
	m.monitor.use["2"] = host.CacheUse{Problem: "no ID is free"}
	if err := m.move(); err == nil || !strings.Contains(err.Error(), "no ID is free") {
		t.Errorf("%v", err)
	}
	if m.plan.Moving.Ways[0] != 7 {
		t.Errorf("%v", m.plan.Moving)
	}
	delete(m.monitor.use, "2") // it has ended
	if err := m.move(); err != nil {
		t.Error(err)
	}
	if err := m.Move(t.Context(), both[:0], nothing); err != nil || m.policy != nil {
		t.Errorf("%v, %v", m.policy, err)
	}
}
