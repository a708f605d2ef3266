// SPDX-License-Identifier: Apache-2.0

package caching

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
)

// fakeMonitor knows the use of all domains.
type fakeMonitor struct {
	use    map[string]host.CacheUse
	err    error
	closed bool
}

func (f *fakeMonitor) Capacity() uint64 { return 100 }
func (f *fakeMonitor) Read(context.Context, []host.Domain) (map[string]host.CacheUse, error) {
	use := make(map[string]host.CacheUse)
	for id, u := range f.use {
		use[id] = u
	}
	return use, f.err
}
func (f *fakeMonitor) Close() error {
	f.closed = true
	return nil
}

func TestRatesAreOverAtLeastASecond(t *testing.T) {
	f := &fakeMonitor{}
	m := monitor{open: func() (memory.CacheMonitor, error) { return f, nil }}
	begin := time.Unix(1000, 0)
	for _, tt := range []struct {
		after time.Duration
		moved uint64
		rate  float64
	}{
		{0, 1000, 0},
		{2 * time.Second, 5000, 2000},
		{2*time.Second + 100*time.Millisecond, 6000, 2000}, // too soon
		{4 * time.Second, 7000, 1000},
		{6 * time.Second, 10, 0}, // the domain was made again
		{8 * time.Second, 30, 10},
	} {
		f.use = map[string]host.CacheUse{"1": {Moved: tt.moved}}
		m.read(t.Context(), nil, begin.Add(tt.after))
		if got := m.use["1"].Rate; got != tt.rate {
			t.Errorf("after %v: %v a second, want %v", tt.after, got, tt.rate)
		}
	}
	// A use that cannot be read now is not known, and is read again later.
	f.err = errors.New("no such device")
	m.read(t.Context(), nil, begin)
	if m.problem != "no such device" || len(m.use) > 0 || m.absent {
		t.Errorf("%q, %v", m.problem, m.use)
	}
	f.err = nil
	if m.read(t.Context(), nil, begin); m.problem != "" || len(m.use) != 1 {
		t.Errorf("%q, %v", m.problem, m.use)
	}
}

func TestCachesShowDomainsAndTheirUse(t *testing.T) {
	h := newHost()
	f := &fakeMonitor{use: map[string]host.CacheUse{"1": {Occupied: 7}, "0": {Problem: "no ID"}}}
	m := NewManager(func() (memory.CachePartitioner, error) { return h, nil }, func() (memory.CacheMonitor, error) { return f, nil },
		h, slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)))
	if err := m.Move(t.Context(), []config.Cache{class("wide", 60, "web", "db"), class("later", 40, "x")}, nothing); err != nil {
		t.Fatal(err)
	}
	c, err := m.Caches(t.Context())
	if err != nil || c.Capacity != 100 || c.Ways != 10 || len(c.Classes) != 2 || c.Unmonitored != "" {
		t.Fatalf("%+v, %v", c, err)
	}
	wide, later := c.Classes[0], c.Classes[1]
	if wide.L3Code != 0x3f || len(wide.Members) != 2 || wide.Members[0].Use.Occupied != 7 || wide.Members[1].Use != nil || len(later.Members) != 0 {
		t.Errorf("%+v", c.Classes)
	}
	if len(c.Without) != 2 || c.Without[0].Name != "Domain-0" || c.Without[0].Use.Problem != "no ID" {
		t.Errorf("%+v", c.Without)
	}
	if err := m.Close(); err != nil || !f.closed || !h.closed {
		t.Errorf("closed %v and %v, %v", f.closed, h.closed, err)
	}
}

// A host that monitors nothing is asked once, and its classes work.
func TestAHostThatMonitorsNothingIsAskedOnce(t *testing.T) {
	h, asked := newHost(), 0
	m := NewManager(func() (memory.CachePartitioner, error) { return h, nil }, func() (memory.CacheMonitor, error) {
		asked++
		return nil, fmt.Errorf("cache use: %w: psr=cmt", host.ErrNotHere)
	}, h, slog.New(slog.DiscardHandler))
	for range 3 {
		m.look(t.Context())
	}
	c, err := m.Caches(t.Context())
	if err != nil || asked != 1 || c.Unmonitored == "" || len(c.Without) != 4 {
		t.Errorf("asked %d times: %+v, %v", asked, c, err)
	}
}
