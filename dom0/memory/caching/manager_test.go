// SPDX-License-Identifier: Apache-2.0

package caching

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
)

// fakeHost records its shares.
type fakeHost struct {
	domains []host.Domain
	shares  map[string]string
	refuse  error
	behind  error // why no class follows calls
	closed  bool
}

func (h *fakeHost) Domains(context.Context) ([]host.Domain, error) { return h.domains, nil }

func (h *fakeHost) Layout() cache.Layout {
	return cache.Layout{L3: &cache.Ways{Bits: 10, Least: 1, Classes: 3}}
}

func (h *fakeHost) CanFollow() error { return h.behind }

func (h *fakeHost) Apply(_ context.Context, shares []memory.CacheShare) error {
	if h.refuse != nil {
		return h.refuse
	}
	h.shares = map[string]string{}
	for _, s := range shares {
		h.shares[s.ID] = fmt.Sprintf("%s %v", s.Class, s.Masks)
		if s.Follow {
			h.shares[s.ID] += " or its caller's"
		}
	}
	return nil
}

func (h *fakeHost) Close() error {
	h.closed = true
	return nil
}

func (h *fakeHost) manager(log *bytes.Buffer) *Manager {
	return NewManager(func() (memory.CachePartitioner, error) { return h, nil }, unmonitored, h, slog.New(slog.NewTextHandler(log, nil)))
}

// unmonitored is a host that does not tell what domains use.
func unmonitored() (memory.CacheMonitor, error) { return nil, host.ErrNotHere }

func nothing() error { return nil }

func class(name string, l3 int, domains ...string) config.Cache {
	return config.Cache{Class: cache.Class{Name: name, L3: l3}, Domains: domains}
}

func newHost() *fakeHost {
	return &fakeHost{domains: []host.Domain{
		{ID: "0", UUID: "u0", Name: "Domain-0", Control: true}, {ID: "1", UUID: "u1", Name: "web"},
		{ID: "2", UUID: "u2", Name: "db"}, {ID: "3", UUID: "u3", Name: "batch"},
	}}
}

func TestDomainsAreFoundByNameAndUUIDAndLater(t *testing.T) {
	h, log := newHost(), new(bytes.Buffer)
	m := h.manager(log)
	if err := m.Move(t.Context(), []config.Cache{class("wide", 60, "web", "u2", "later"), class("rest", 40, "*")}, nothing); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"1": "wide L3 0x3f", "2": "wide L3 0x3f", "3": "rest L3 0x3c0"}
	if !reflect.DeepEqual(h.shares, want) {
		t.Errorf("%v, want %v", h.shares, want)
	}
	if !strings.Contains(log.String(), `name=wide masks="L3 0x3f" classes="L3 apart, L2 apart" domains="web, u2, later"`) {
		t.Errorf("log: %s", log)
	}
	// A name that no domain has is logged once.
	m.look(t.Context())
	if n := strings.Count(log.String(), `these domains do not exist" domains=later`); n != 1 {
		t.Errorf("logged %d times: %s", n, log)
	}
	h.domains = append(h.domains, host.Domain{ID: "4", UUID: "u4", Name: "later"})
	m.look(t.Context())
	if want["4"] = "wide L3 0x3f"; !reflect.DeepEqual(h.shares, want) {
		t.Errorf("a domain that came later: %v", h.shares)
	}
	// The case of a UUID does not matter, and it takes precedence over the star.
	if err := m.Move(t.Context(), []config.Cache{class("rest", 40, "*"), class("wide", 60, "U2")}, nothing); err != nil ||
		h.shares["2"] != "wide L3 0x3f0" || h.shares["1"] != "rest L3 0xf" {
		t.Errorf("%v, %v", h.shares, err)
	}
	// The star does not include control domains.
	if err := m.Move(t.Context(), []config.Cache{class("wide", 60, "Domain-0")}, nothing); err != nil || !reflect.DeepEqual(h.shares, map[string]string{"0": "wide L3 0x3f"}) {
		t.Errorf("%v, %v", h.shares, err)
	}
	if err := m.Close(); err != nil || !h.closed {
		t.Errorf("%v, closed %v", err, h.closed)
	}
}

func TestARefusalChangesNothing(t *testing.T) {
	h, log := newHost(), new(bytes.Buffer)
	m := h.manager(log)
	first := []config.Cache{class("wide", 60, "web")}
	if err := m.Move(t.Context(), first, nothing); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"1": "wide L3 0x3f"}
	for _, tt := range []struct {
		want []config.Cache
		then error
		says string
	}{
		{[]config.Cache{class("a", 1, "web"), class("b", 20, "db"), class("c", 30, "batch"), class("d", 40, "x")}, nil, "4, and this host has 3"},
		{[]config.Cache{{Class: cache.Class{Name: "a", L2: 50}, Domains: []string{"web"}}}, nil, `class "a": l2`},
		{[]config.Cache{class("a", 10, "web"), class("b", 10, "U1")}, nil, `in class "a" as "web" and in class "b" as "U1"`},
		{[]config.Cache{class("a", 10, "db")}, errors.New("not that"), "not that"},
	} {
		err := m.Move(t.Context(), tt.want, func() error { return tt.then })
		if err == nil || !strings.Contains(err.Error(), tt.says) || !reflect.DeepEqual(h.shares, want) || !reflect.DeepEqual(m.current, first) {
			t.Errorf("%v: %v, want %q; has %v", tt.want, err, tt.says, h.shares)
		}
	}
}

func TestAReviewLogsAnErrorOnce(t *testing.T) {
	h, log := newHost(), new(bytes.Buffer)
	m := h.manager(log)
	if err := m.Move(t.Context(), []config.Cache{class("wide", 60, "web")}, nothing); err != nil {
		t.Fatal(err)
	}
	h.refuse = errors.New("no class of service is free")
	for range 3 {
		m.look(t.Context())
	}
	if n := strings.Count(log.String(), "no class of service is free"); n != 1 {
		t.Errorf("logged %d times: %s", n, log)
	}
}

func TestAHostWithoutCachesRefusesClasses(t *testing.T) {
	m := NewManager(func() (memory.CachePartitioner, error) {
		return nil, fmt.Errorf("cache classes: %w: no such processor", host.ErrNotHere)
	}, unmonitored, newHost(), slog.New(slog.DiscardHandler))
	if err := m.Move(t.Context(), nil, nothing); err != nil {
		t.Errorf("no class is configured: %v", err)
	}
	err := m.Move(t.Context(), []config.Cache{class("wide", 60, "web")}, nothing)
	if !errors.Is(err, host.ErrNotHere) || !strings.Contains(err.Error(), "remove the tables [[cache]]") {
		t.Errorf("%v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestClassesFollowCallsWhereTheHostCan(t *testing.T) {
	h := newHost()
	m := h.manager(new(bytes.Buffer))
	follows := class("rest", 40, "*", "Domain-0")
	follows.FollowCalls = true
	if err := m.Move(t.Context(), []config.Cache{class("wide", 60, "web"), follows}, nothing); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"0": "rest L3 0x3c0", "1": "wide L3 0x3f", "2": "rest L3 0x3c0 or its caller's", "3": "rest L3 0x3c0 or its caller's"}
	if !reflect.DeepEqual(h.shares, want) {
		t.Errorf("%v, want %v", h.shares, want)
	}
	h.behind = errors.New("no module")
	if err := m.Move(t.Context(), []config.Cache{follows}, nothing); !errors.Is(err, h.behind) || !strings.Contains(err.Error(), "follow_calls") || !reflect.DeepEqual(h.shares, want) {
		t.Errorf("%v; has %v", err, h.shares)
	}
}

// A domain is in the class that it asks for, unless the configuration names it.
func TestAskedClassesLeaveThoseOfTheConfiguration(t *testing.T) {
	h := newHost()
	m := h.manager(new(bytes.Buffer))
	if err := m.Move(t.Context(), []config.Cache{class("wide", 60, "u1"), class("rest", 40, "*")}, nothing); err != nil {
		t.Fatal(err)
	}
	problems := m.Ask(t.Context(), map[string]string{"u0": "wide", "u1": "rest", "u2": "wide", "u3": "none"})
	want := map[string]string{"1": "wide L3 0x3f", "2": "wide L3 0x3f", "3": "rest L3 0x3c0"}
	if !reflect.DeepEqual(h.shares, want) {
		t.Errorf("%v, want %v", h.shares, want)
	}
	if got := fmt.Sprint(problems); got != `map[u1:the configuration has precedence: cache class "wide" u3:the configuration has no cache class "none"]` {
		t.Error(got)
	}
	if problems := m.Ask(t.Context(), nil); len(problems) > 0 || h.shares["2"] != "rest L3 0x3c0" {
		t.Errorf("%v, %v", problems, h.shares)
	}
}
