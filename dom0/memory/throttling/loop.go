// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle"
)

const (
	// again is how often what stays the same is said once more: the host may
	// have forgotten it with a lease.
	again = 500 * time.Millisecond
	// deadman is after how long without a decision all is opened; at least
	// that many periods.
	deadman        = 500 * time.Millisecond
	deadmanPeriods = 20
	// Shares that differ by less are the same.
	fine = 0.01
)

// Throttler is what the loop needs of a [host.Host].
type Throttler interface {
	Throttle(ctx context.Context, cpu int, period, idle time.Duration) error
}

// Options of New.
type Options struct {
	Period time.Duration // of decisions, and of what the host is told
	Source throttle.Source
	Policy throttle.Policy
	// Fallbacks decide when the policy is dropped, in order.
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

	mu     sync.Mutex
	status status
	told   map[int]time.Duration // idle time of each CPU as the host has it
	saidAt time.Time
	round  time.Time // of the last decision
	refuse string    // what the host said last when it refused
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

// Swap lets another policy decide from now on.
func (l *Loop) Swap(p throttle.Policy, fallbacks ...throttle.Policy) {
	l.controller.Swap(p, fallbacks...)
}

// Run decides until ctx ends, and then opens everything.
func (l *Loop) Run(ctx context.Context) error {
	l.mu.Lock()
	l.round = time.Now()
	l.mu.Unlock()
	watched := make(chan struct{})
	watchCtx, stop := context.WithCancel(ctx)
	go func() {
		defer close(watched)
		l.watch(watchCtx)
	}()
	l.decide(ctx)
	stop()
	<-watched
	l.controller.Close()
	return errors.Join(l.open(context.WithoutCancel(ctx)), l.o.Source.Close())
}

func (l *Loop) decide(ctx context.Context) {
	var meter throttle.Meter
	tick := time.NewTicker(l.o.Period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s, err := meter.Take(l.o.Source)
		idle := l.controller.Decide(s)
		l.mu.Lock()
		l.round = time.Now()
		l.note(s, err, idle)
		err = l.tell(ctx, s, idle)
		l.mu.Unlock()
		l.refused(err)
	}
}

// note writes the status; mu is held.
func (l *Loop) note(s *throttle.Sample, err error, idle []float64) {
	st := &l.status
	if h := s.Health.String(); h != st.Health {
		if s.Health > throttle.Warming {
			st.Problem = fmt.Sprintf("source %s: %s", st.Source, h)
			if err != nil {
				st.Problem += ": " + err.Error()
			}
			l.o.Log.Warn("throttle: all CPUs are open", "source", st.Source, "health", h, "error", err)
		} else if s.Health == throttle.Good {
			l.o.Log.Info("throttle: memory latency is measured", "source", st.Source, "traffic", s.Traffic.String())
		}
		if s.Health != throttle.Quiet {
			st.Health = h
		}
	}
	st.Policy, st.Traffic = l.controller.Policy(), s.Traffic.String()
	st.Decisions++
	if s.Health > throttle.Warming {
		st.Unhealthy++
	}
	if s.Health != throttle.Quiet {
		st.Latency = s.Latency
	}
	st.hopeless = s.Health > throttle.Warming
	st.CPUs = st.CPUs[:0]
	throttled := false
	for i, c := range s.CPUs {
		st.CPUs = append(st.CPUs, api.ThrottleCPU{ID: c.ID, Idle: idle[i], Traffic: c.Traffic})
		throttled = throttled || idle[i] > 0
	}
	if throttled {
		st.Throttled++
	}
}

// tell has the host do what was decided, as far as that is new; mu is held.
func (l *Loop) tell(ctx context.Context, s *throttle.Sample, idle []float64) error {
	all := time.Since(l.saidAt) >= again
	if all {
		l.saidAt = time.Now()
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

// refused logs what the host says, once each. That there is no lease yet, or no
// more, is the master's to mend.
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

// open ends all throttles.
func (l *Loop) open(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for cpu, idle := range l.told {
		if idle > 0 {
			if err := l.o.Host.Throttle(ctx, cpu, l.o.Period, 0); err != nil {
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

// patience is how long a decision may take.
func (l *Loop) patience() time.Duration { return max(deadman, deadmanPeriods*l.o.Period) }

// watch opens all CPUs when no decision comes: a source that hangs, say.
func (l *Loop) watch(ctx context.Context) {
	patience := l.patience()
	tick := time.NewTicker(patience / 4)
	defer tick.Stop()
	var stuck time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l.mu.Lock()
		round := l.round
		if late := time.Since(round); late < patience || round.Equal(stuck) {
			l.mu.Unlock()
			continue
		}
		stuck = round
		l.status.Stuck++
		l.status.Problem = fmt.Sprintf("no decision for %v: all CPUs are open", patience)
		l.mu.Unlock()
		l.o.Log.Error("throttle: no decision, all CPUs are opened", "for", patience, "source", l.o.Source.Name())
		if err := l.open(ctx); err != nil {
			l.o.Log.Error("throttle", "error", err)
		}
	}
}
