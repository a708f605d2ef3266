// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// stoppable is in background on its CPUs.
type stoppable struct {
	*subject
	k       *Keeper
	on      []int
	stopped bool
	err     error
}

func (s *stoppable) On() []int { return s.on }
func (s *stoppable) Pause() error {
	s.stopped = s.k.Denies(s.on)
	return s.err
}

// withLease is a keeper whose lease runs, without a guard and a thread.
func withLease() *Keeper {
	k := New(Options{})
	k.lease.pid, k.lease.end = 1, time.Now().Add(time.Hour)
	return k
}

func add(t testing.TB, k *Keeper, id uint32, on ...int) *stoppable {
	t.Helper()
	s := &stoppable{subject: newSubject(time.Hour, time.Hour), k: k, on: on}
	if err := k.Add(id, s, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDenialIsAtTheBeginOfEachPeriod(t *testing.T) {
	d := denial{10 * ms, 3 * ms}
	for _, c := range []struct {
		now    time.Duration
		denied bool
		until  time.Duration
	}{{0, true, 3 * ms}, {2 * ms, true, 3 * ms}, {3 * ms, false, 10 * ms}, {19 * ms, false, 20 * ms}, {20 * ms, true, 23 * ms}} {
		if denied, until := d.at(c.now); denied != c.denied || until != c.until {
			t.Errorf("at %v: %v until %v", c.now, denied, until)
		}
	}
}

// A denial stops what may run on its CPU, also if that is added or moves later.
func TestDenialStopsWhatMayRunOnItsCPU(t *testing.T) {
	k := withLease()
	one, both := add(t, k, 1, 0), add(t, k, 2, 0, 1)
	k.throttle(1, denial{time.Hour, time.Hour})
	if one.stopped || !both.stopped {
		t.Errorf("on CPU 0: %v, on both: %v", one.stopped, both.stopped)
	}
	one.on = []int{1}
	if k.Moved(k.Entry(1)); !one.stopped {
		t.Error("it runs on the CPU to which it was moved")
	}
	one.err = errors.New("broken")
	if k.throttle(1, denial{time.Hour, 0}); one.stopped || both.stopped || len(k.denials.on) != 0 || k.denials.now[1] {
		t.Errorf("stopped without a denial: %v, %v", one.stopped, both.stopped)
	}
	if k.Entry(1).Err() != one.err {
		t.Error(k.Entry(1).Err())
	}
}

// With the lease the throttle is over.
func TestDenialsEndWithTheLease(t *testing.T) {
	k := withLease()
	s := add(t, k, 1, 0)
	k.throttle(0, denial{time.Hour, time.Hour})
	k.lease.end = time.Now()
	if k.deny(); s.stopped || k.denials.due != Never {
		t.Errorf("stopped %v, due %v", s.stopped, k.denials.due)
	}
	if err := k.Throttle(t.Context(), 0, 10*ms, ms); !errors.Is(err, host.ErrLease) {
		t.Error(err)
	}
	if err := k.Throttle(t.Context(), 0, ms, 2*ms); !errors.Is(err, rtsched.ErrRange) {
		t.Error(err)
	}
	if err := k.Throttle(t.Context(), -1, ms, 0); !errors.Is(err, host.ErrNotAllowed) {
		t.Error(err)
	}
}

// A period of the throttle over 1,000 domains on 64 CPUs, each of which begins
// and ends at its own time, without what stopping a domain costs.
func BenchmarkDeny(b *testing.B) {
	k := withLease()
	for i := range 1000 {
		add(b, k, uint32(i), i%64, (i+1)%64)
	}
	for c := range 64 {
		k.denials.on = append(k.denials.on, denied{denial: denial{ms, 500 * time.Microsecond}, cpu: c})
	}
	for b.Loop() {
		for c := range 64 {
			// As if this CPU's time had come, and then come again.
			k.denials.now[c] = !k.denials.now[c]
			k.deny()
		}
		k.deny()
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(ms)*100, "%core")
}
