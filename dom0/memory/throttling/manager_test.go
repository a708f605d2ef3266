// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// bare is a host without a source of latency.
type bare struct {
	host.Host // none of which is asked for
	fake      *fakeHost
}

func (bare) Can() host.Abilities { return host.Abilities{Throttle: true} }

func (b bare) Throttle(ctx context.Context, cpu int, period, idle time.Duration) error {
	return b.fake.Throttle(ctx, cpu, period, idle)
}

func (bare) Name() string { return "bare" }

func (bare) CPUs() ([]int, error) { return []int{0, 1, 2}, nil }

func (bare) LatencySource([]int) (throttle.Source, error) { return nil, throttle.ErrNoSource }

// plain is a host that cannot be throttled.
type plain struct{ host.Host }

func (plain) Name() string { return "plain" }

func (plain) Can() host.Abilities { return host.Abilities{} }

func TestManagerSwapsPoliciesAndUndoesWhatFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t")
	w, err := requestlatency.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	h := &fakeHost{idle: map[int]time.Duration{}}
	m := NewManager(bare{fake: h}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if m.Status() != nil {
		t.Error("it runs before it is told to")
	}
	c := config.Throttle{Source: "requests", Requests: file, Policy: "threshold", Params: throttle.Params{Threshold: 1000}, Period: 2 * time.Millisecond, CPUs: []int{1}, ProbeCPU: -1}
	if err := m.Set(&c); err != nil {
		t.Fatal(err)
	}
	slow := func() bool { w.Add(10, time.Millisecond); return h.of(1) > 0 }
	testkit.Eventually(t, "throttled", slow)
	loop := m.loop
	other := c
	other.Policy = "none"
	if err := m.Set(&other); err != nil || m.loop != loop {
		t.Errorf("another policy: %v, another loop: %v", err, m.loop != loop)
	}
	testkit.Eventually(t, "swapped", func() bool { slow(); return h.of(1) == 0 && m.Status().Policy == "none" })
	// An impossible configuration changes nothing.
	for want, bad := range map[string]config.Throttle{
		"no CPU 7":        {Source: "requests", Requests: file, Policy: "none", Period: time.Millisecond, CPUs: []int{7}},
		"needs probe_cpu": {Source: "auto", Policy: "none", Period: time.Millisecond, ProbeCPU: -1},
		"no such file":    {Source: "requests", Requests: file + "x", Policy: "none", Period: time.Millisecond},
		`policy "x"`:      {Source: "requests", Requests: file, Policy: "x", Period: time.Millisecond},
	} {
		if err := m.Set(&bad); err == nil || !strings.Contains(err.Error(), want) || m.loop != loop {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, source := range []string{"uncore", "model"} {
		if err := m.Set(&config.Throttle{Source: source, Policy: "none", Period: time.Millisecond}); !errors.Is(err, throttle.ErrNoSource) {
			t.Errorf("%s: %v", source, err)
		}
	}
	c.Period = 3 * time.Millisecond
	if err := m.Set(&c); err != nil || m.loop == loop {
		t.Errorf("another period: %v", err)
	}
	testkit.Eventually(t, "throttled again", slow)
	// Move undoes the change when the next step fails.
	failed := errors.New("something else")
	if err := m.Move(&other, func() error { return failed }); !errors.Is(err, failed) || m.current.Policy != "threshold" {
		t.Errorf("undone: %v, %+v", err, m.current)
	}
	if err := m.Move(&c, func() error { return nil }); err != nil || m.current.Policy != "threshold" {
		t.Error(err)
	}
	for range 2 {
		if err := m.Close(); err != nil || h.of(1) != 0 || m.Status() != nil {
			t.Errorf("closed: %v, idle %v", err, h.of(1))
		}
	}
	if err := NewManager(plain{}, m.log).Set(&c); !errors.Is(err, host.ErrNotHere) {
		t.Error(err)
	}
}
