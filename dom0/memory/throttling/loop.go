// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/throttle"
)

const (
	// again is how often an unchanged decision is repeated to the host, which
	// forgets it when a lease ends.
	again = 500 * time.Millisecond
	// Without a decision for deadman and for deadmanPeriods all CPUs are opened.
	deadman        = 500 * time.Millisecond
	deadmanPeriods = 20
	// fine is the smallest change of a share that the host is told.
	fine = 0.01
)

// Throttler is what the loop needs of a [host.Host].
type Throttler interface {
	Throttle(ctx context.Context, cpu int, period, idle time.Duration) error
}

// Options of New.
type Options struct {
	Period time.Duration // of decisions, and of the host's throttles
	Source throttle.Source
	Policy throttle.Policy
	// Fallbacks replace a policy that is dropped, in order.
	Fallbacks []throttle.Policy
	Host      Throttler
	Log       *slog.Logger
	// Limit of one decision; 0: [throttle.DefaultLimit].
	Limit time.Duration
}

// Loop is the control loop.
type Loop struct {
	o          Options
	controller *throttle.Controller
	deadman    *time.Timer

	mu     sync.Mutex
	status status
	told   map[int]time.Duration // idle time of each CPU that the host accepted
	toldAt time.Time             // when all of it was last repeated
	round  time.Time             // of the last decision; zero: the loop does not run
	refuse string                // the host's last refusal, as it was logged
}

// New makes a loop. It takes over the source, which Run closes.
func New(o Options) *Loop {
	l := &Loop{o: o, told: map[int]time.Duration{}}
	l.controller = throttle.NewController(o.Policy, cmp.Or(o.Limit, throttle.DefaultLimit), l.dropped, o.Fallbacks...)
	l.status = status{Throttle: api.Throttle{Source: o.Source.Name(), Policy: o.Policy.Name(), Period: o.Period, Health: throttle.Warming.String()}}
	return l
}

func (l *Loop) dropped(err error) {
	l.o.Log.Error("throttle", "error", err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Dropped++
	l.status.Problem = err.Error()
}

// Swap replaces the policy.
func (l *Loop) Swap(p throttle.Policy, fallbacks ...throttle.Policy) {
	l.controller.Swap(p, fallbacks...)
}

// Run decides until ctx ends, and then opens all CPUs.
func (l *Loop) Run(ctx context.Context) error {
	l.mu.Lock()
	l.round = time.Now()
	l.deadman = time.AfterFunc(l.patience(), l.stuck)
	l.mu.Unlock()
	l.decide(ctx)
	l.deadman.Stop()
	l.controller.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.round = time.Time{}
	return errors.Join(l.open(), l.o.Source.Close())
}

func (l *Loop) decide(ctx context.Context) {
	var meter throttle.Meter
	clock.Every(ctx, l.o.Period, func() {
		s, err := meter.Take(l.o.Source)
		idle := l.controller.Decide(s)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.round = time.Now()
		l.deadman.Reset(l.patience())
		l.note(s, err, idle)
		l.refused(l.tell(ctx, s, idle))
	})
}

// note updates the status; the caller has locked mu.
func (l *Loop) note(s *throttle.Sample, err error, idle []float64) {
	st := &l.status
	if h := s.Health.String(); h != st.Health && s.Health != throttle.Quiet {
		st.Health = h
		if s.Health > throttle.Warming {
			st.Problem = fmt.Sprintf("source %s: %s", st.Source, h)
			if err != nil {
				st.Problem += ": " + err.Error()
			}
			l.o.Log.Warn("throttle: all CPUs are open", "source", st.Source, "health", h, "error", err)
		} else if s.Health == throttle.Good {
			l.o.Log.Info("throttle: memory latency is measured", "source", st.Source, "traffic", s.Traffic.String())
		}
	}
	st.Policy, st.Traffic = l.controller.Policy(), s.Traffic.String()
	st.Decisions++
	if st.unhealthy = s.Health > throttle.Warming; st.unhealthy {
		st.Unhealthy++
	}
	if s.Health != throttle.Quiet {
		st.Latency = s.Latency
	}
	st.CPUs = st.CPUs[:0]
	for i, c := range s.CPUs {
		st.CPUs = append(st.CPUs, api.ThrottleCPU{ID: c.ID, Idle: idle[i], Traffic: c.Traffic})
	}
	if slices.ContainsFunc(idle, func(share float64) bool { return share > 0 }) {
		st.Throttled++
	}
}

// tell gives the host the idle times that have changed, and from time to time all;
// the caller has locked mu.
func (l *Loop) tell(ctx context.Context, s *throttle.Sample, idle []float64) error {
	all := time.Since(l.toldAt) >= again
	if all {
		l.toldAt = time.Now()
	}
	var errs []error
	for i, c := range s.CPUs {
		want := time.Duration(idle[i] * float64(l.o.Period)).Round(time.Microsecond)
		was := l.told[c.ID]
		change := (want - was).Abs()
		switch {
		case want == was && (want == 0 || !all):
			continue
		case want > 0 && was > 0 && !all && float64(change) < fine*float64(l.o.Period):
			continue
		}
		if err := l.o.Host.Throttle(ctx, c.ID, l.o.Period, want); err != nil {
			errs = append(errs, err)
			continue
		}
		l.told[c.ID] = want
	}
	return errors.Join(errs...)
}

// refused logs a refusal of the host when it changes; the caller has locked mu. The
// master takes care of a missing lease.
func (l *Loop) refused(err error) {
	if err == nil {
		l.refuse = ""
		return
	}
	if text := err.Error(); text != l.refuse && !errors.Is(err, host.ErrLease) && !errors.Is(err, context.Canceled) {
		l.refuse = text
		l.o.Log.Warn("throttle", "error", err)
	}
}

// open ends all throttles; the caller has locked mu.
func (l *Loop) open() error {
	var errs []error
	for cpu, idle := range l.told {
		if idle > 0 {
			if err := l.o.Host.Throttle(context.Background(), cpu, l.o.Period, 0); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		delete(l.told, cpu)
	}
	for i := range l.status.CPUs {
		l.status.CPUs[i].Idle = 0
	}
	return errors.Join(errs...)
}

// patience limits the time between two decisions.
func (l *Loop) patience() time.Duration { return max(deadman, deadmanPeriods*l.o.Period) }

// late reports whether a decision is overdue; the caller has locked mu.
func (l *Loop) late() bool { return !l.round.IsZero() && time.Since(l.round) >= l.patience() }

// stuck opens all CPUs: no decision came, for example because the source hangs.
func (l *Loop) stuck() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.late() { // a decision came meanwhile, or Run has ended
		return
	}
	l.status.Stuck++
	l.status.Problem = fmt.Sprintf("no decision for %v: all CPUs are open", l.patience())
	l.o.Log.Error("throttle: no decision, all CPUs are opened", "for", l.patience(), "source", l.o.Source.Name())
	if err := l.open(); err != nil {
		l.o.Log.Error("throttle", "error", err)
	}
}
