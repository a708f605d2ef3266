// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/throttle"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fakeHost records what it is told.
type fakeHost struct {
	mu   sync.Mutex
	idle map[int]time.Duration
	said int
	err  error
}

func (h *fakeHost) Throttle(_ context.Context, cpu int, period, idle time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.said++; h.err != nil {
		return h.err
	}
	h.idle[cpu] = idle
	return nil
}

func (h *fakeHost) of(cpu int) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.idle[cpu]
}

// memory is a source with a latency that can be set, and that can hang.
type memory struct {
	mu      sync.Mutex
	latency uint64
	err     error
	hang    chan struct{}
	begin   time.Time
	n       uint64
	sum     uint64
	closed  bool
}

func (m *memory) Name() string { return "memory" }
func (m *memory) Close() error { m.closed = true; return nil }

func (m *memory) Read(c *throttle.Counters) error {
	m.mu.Lock()
	hang := m.hang
	m.mu.Unlock()
	if hang != nil {
		<-hang
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n += 1000
	m.sum += 1000 * m.latency
	c.At, c.Scale = time.Since(m.begin), 1
	c.Units = append(c.Units[:0], throttle.Unit{Requests: m.n, Occupancy: m.sum, Width: 64})
	c.CPUs = append(c.CPUs[:0], throttle.CPUCounter{ID: 2}, throttle.CPUCounter{ID: 5})
	return m.err
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func start(t *testing.T, policy string) (*Loop, *fakeHost, *memory, func()) {
	t.Helper()
	h := &fakeHost{idle: map[int]time.Duration{}}
	m := &memory{latency: 50, begin: time.Now()}
	p, err := throttle.New(policy, throttle.Params{Threshold: 100})
	if err != nil {
		t.Fatal(err)
	}
	l := New(Options{Period: 2 * time.Millisecond, Source: m, Policy: p, Host: h, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return l, h, m, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if h.of(2) != 0 || h.of(5) != 0 || !m.closed {
			t.Errorf("left after the end: %v, source closed %v", h.idle, m.closed)
		}
	})
}

func TestCPUsIdleWhileMemoryIsSlowAndTheSourceHealthy(t *testing.T) {
	for _, policy := range []string{"threshold", "feedback"} {
		l, h, m, end := start(t, policy)
		testkit.Eventually(t, "decisions", func() bool { return l.Status().Decisions > 10 })
		if s := l.Status(); s.Throttled != 0 || s.Health != "good" || s.Latency != 50 || len(s.CPUs) != 2 || s.CPUs[1].ID != 5 || s.Traffic != "taken as equal" || s.State != api.ThrottleEnough {
			t.Errorf("%+v", s)
		}
		m.set(func() { m.latency = 300 })
		testkit.Eventually(t, "throttled", func() bool { return h.of(2) > time.Millisecond && h.of(5) > time.Millisecond })
		if s := l.Status(); s.Throttled == 0 || s.Policy != policy || s.State != api.ThrottleClosed {
			t.Errorf("%+v", s)
		}
		// An unhealthy source opens all CPUs.
		m.set(func() { m.err = errors.New("gone") })
		testkit.Eventually(t, "open", func() bool { return h.of(2) == 0 && h.of(5) == 0 })
		if s := l.Status(); s.Health != "failed" || s.Unhealthy == 0 || s.Problem == "" || s.State != api.ThrottleBlind {
			t.Errorf("%+v", s)
		}
		m.set(func() { m.err = nil })
		testkit.Eventually(t, "throttled again", func() bool { return h.of(2) > time.Millisecond })
		none, err := throttle.New("none", throttle.Params{})
		if err != nil {
			t.Fatal(err)
		}
		l.Swap(none)
		testkit.Eventually(t, "swapped", func() bool { return h.of(2) == 0 && l.Status().Policy == "none" })
		end()
	}
}

func TestASourceThatHangsOpensAllCPUs(t *testing.T) {
	l, h, m, end := start(t, "threshold")
	m.set(func() { m.latency = 300 })
	testkit.Eventually(t, "throttled", func() bool { return h.of(2) > 0 })
	hang := make(chan struct{})
	m.set(func() { m.hang = hang })
	testkit.Eventually(t, "open", func() bool { return h.of(2) == 0 && h.of(5) == 0 })
	if s := l.Status(); s.Stuck != 1 || s.Problem == "" || s.State != api.ThrottleLate {
		t.Errorf("%+v", s)
	}
	m.set(func() { m.hang = nil })
	close(hang)
	testkit.Eventually(t, "throttled again", func() bool { return h.of(2) > 0 })
	if s := l.Status(); s.State != api.ThrottleClosed {
		t.Errorf("%+v", s)
	}
	end()
}

// A host without a lease refuses and is told again. An unchanged decision is not
// repeated in each period.
func TestTheHostIsToldAgainAndNotTooOften(t *testing.T) {
	l, h, m, end := start(t, "threshold")
	h.mu.Lock()
	h.err = host.ErrLease
	h.mu.Unlock()
	m.set(func() { m.latency = 300 })
	testkit.Eventually(t, "asked", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.said > 3 })
	h.mu.Lock()
	h.err = nil
	h.mu.Unlock()
	testkit.Eventually(t, "all", func() bool { return h.of(2) > 1800*time.Microsecond })
	h.mu.Lock()
	before := h.said
	h.idle = map[int]time.Duration{} // as after a lease that was lost
	h.mu.Unlock()
	decisions := l.Status().Decisions
	testkit.Eventually(t, "said again", func() bool { return h.of(2) > 0 && h.of(5) > 0 })
	h.mu.Lock()
	said := h.said - before
	h.mu.Unlock()
	if n := l.Status().Decisions - decisions; said > 20 {
		t.Errorf("told %d times in %d decisions that are the same", said, n)
	}
	end()
}
