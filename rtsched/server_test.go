// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"math"
	"testing"
	"time"
)

// valid fails the test if an invariant of the server does not hold.
func valid(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *Server) {
	t.Helper()
	var sum time.Duration
	last := time.Duration(math.MinInt64)
	if s.count < 1 || s.count > refills {
		t.Fatalf("%d refills", s.count)
	}
	for i := range s.count {
		r := *s.nth(i)
		// Refills that never come have no order.
		if r.amount <= 0 || r.at < last || r.at == last && r.at != never {
			t.Fatalf("refill %d: %+v", i, *s)
		}
		sum += r.amount
		last = r.at
	}
	if sum != s.budget {
		t.Fatalf("the amounts add up to %v: %+v", sum, *s)
	}
}

// has is the budget that a server should have left at a time.
type has struct{ at, left time.Duration }

func expect(t *testing.T, s *Server, want ...has) {
	t.Helper()
	valid(t, s)
	for _, w := range want {
		if got := s.Left(w.at); got != w.left {
			t.Errorf("%v at %v, want %v: %+v", got, w.at, w.left, *s)
		}
	}
}

func TestUseComesBackAPeriodLater(t *testing.T) {
	s := NewServer(2*ms, 10*ms, ms)
	expect(t, s, has{ms - 1, 0}, has{ms, 2 * ms})
	s.Charge(500 * us)
	expect(t, s, has{ms, 1500 * us}, has{11*ms - 1, 1500 * us}, has{11 * ms, 2 * ms})
	s.Wake(6 * ms)
	s.Charge(ms)
	expect(t, s, has{6 * ms, 500 * us}, has{11 * ms, ms}, has{16*ms - 1, ms}, has{16 * ms, 2 * ms})
	if s.Next() != 6*ms {
		t.Error(s.Next())
	}
}

// Unused budget is not saved for a burst.
func TestWakingSavesNoBudgetForABurst(t *testing.T) {
	s := NewServer(2*ms, 10*ms, 0)
	s.Wake(9 * ms)
	s.Charge(2 * ms)
	expect(t, s, has{11 * ms, 0}, has{19*ms - 1, 0}, has{19 * ms, 2 * ms})
	s.Wake(15 * ms) // too early to change anything
	expect(t, s, has{19*ms - 1, 0}, has{19 * ms, 2 * ms})
}

func TestOverrunIsCarried(t *testing.T) {
	s := NewServer(2*ms, 10*ms, 0)
	s.Charge(2*ms + 50*us)
	expect(t, s, has{10*ms - 1, 0}, has{10 * ms, 2*ms - 50*us}, has{20*ms - 1, 2*ms - 50*us}, has{20 * ms, 2 * ms})
}

func TestUseBelowZeroIsNone(t *testing.T) {
	s := NewServer(2*ms, 10*ms, 0)
	for _, used := range []time.Duration{0, -1, math.MinInt64} {
		s.Charge(used)
		expect(t, s, has{0, 2 * ms})
	}
}

// A full list joins neighbours at the later time; the first is left alone.
func TestFullListDelaysOnlyLaterRefills(t *testing.T) {
	s := NewServer(1000, 100000, 0)
	const charges = 3 * refills
	for i := range time.Duration(charges) {
		now := 10 * (i + 1)
		left := s.Left(now)
		s.Wake(now)
		s.Charge(1)
		valid(t, s)
		expect(t, s, has{now, left - 1})
		for back := range i + 1 {
			at := 100000 + 10*(back+1) - 1 // the use after this one has not come back
			if got, most := s.Left(at), 1000-(i+1)+back; got > most {
				t.Fatalf("%v at %v: %v of it is back before a period has passed", got, at, got-most)
			}
		}
	}
	if s.count != refills {
		t.Errorf("%d refills", s.count)
	}
	const last = 100000 + 10*charges
	expect(t, s, has{last, 1000})
}

// A task that uses all of its budget evenly, in pieces of 10 us, gets at least
// 95 % of it in time.
func TestSmallPiecesFindTheirBudget(t *testing.T) {
	const piece = 10 * us
	for _, size := range []struct{ budget, period time.Duration }{
		{100 * us, 10 * ms}, {ms, 100 * ms}, {10 * ms, time.Second}, {2 * ms, 20 * ms}, {100 * ms, MaxPeriod},
	} {
		s := NewServer(size.budget, size.period, 0)
		var got, demanded time.Duration
		for now := time.Duration(0); now < 50*size.period; now += size.period * piece / size.budget {
			used := min(piece, s.Left(now))
			s.Wake(now)
			s.Charge(used)
			got += used
			demanded += piece
		}
		if share := float64(got) / float64(demanded); share < 0.95 {
			t.Errorf("%v every %v: %.3f of what is demanded", size.budget, size.period, share)
		}
	}
}

// Use at once or in small pieces makes the same debt.
func TestChargeAtOnceOrInPiecesIsTheSameDebt(t *testing.T) {
	for _, used := range []time.Duration{1, 999, 1000, 1001, 5500, 123456789, 100000000000000} {
		s := NewServer(1000, 10000, 0)
		s.Charge(used)
		periods, rest := used/1000, used%1000
		expect(t, s, has{periods * 10000, 1000 - rest}, has{(periods+1)*10000 - 1, 1000 - rest}, has{(periods + 1) * 10000, 1000})
	}
}

// Two opposite changes while depleted: the refill comes when it was due.
func TestOppositeChangesKeepTheRefill(t *testing.T) {
	s := NewServer(2*ms, 10*ms, 0)
	s.Charge(2 * ms)
	s.Change(ms, 20*ms, 3*ms)
	s.Change(2*ms, 10*ms, 3*ms)
	expect(t, s, has{10*ms - 1, 0}, has{10 * ms, ms}, has{13 * ms, 2 * ms})
	s.Change(2*ms, 10*ms, 3*ms)
	expect(t, s, has{13*ms - 1, 0}, has{13 * ms, 2 * ms})
}

func TestChangeOfAFullServerTakesEffectAtOnce(t *testing.T) {
	s := NewServer(2*ms, 10*ms, 0)
	s.Change(5*ms, 20*ms, ms)
	expect(t, s, has{ms - 1, 0}, has{ms, 5 * ms})
}

func TestShorterPeriodBringsTheRefillForward(t *testing.T) {
	s := NewServer(2*s, 10*s, 0)
	s.Charge(ms)
	s.Change(2*ms, 10*ms, 2*ms)
	expect(t, s, has{12*ms - 1, 0}, has{12 * ms, 2 * ms})
}

func TestRefillsBeyond292YearsNeverCome(t *testing.T) {
	for _, now := range []time.Duration{0, math.MinInt64, -1, never - ms, never} {
		s := NewServer(MinBudget, MaxPeriod, now)
		for _, used := range []time.Duration{never, MinBudget, 1, never - 1, 3 * MinBudget / 2, 1, math.MinInt64} {
			s.Charge(used)
			valid(t, s)
			s.Wake(now)
			valid(t, s)
			if left := s.Left(math.MaxInt64 - 1); now >= 0 && left != 0 {
				t.Errorf("%v of what is 292 years away", left)
			}
			changed := *s
			changed.Change(10*s.budget, MinPeriod, now)
			valid(t, &changed)
			changed.Change(MinPeriod, MaxPeriod, never)
			valid(t, &changed)
		}
	}
}

func TestMultiplesOfPeriodsDoNotOverflow(t *testing.T) {
	for _, tt := range []struct{ n, period, want time.Duration }{
		{0, never, 0}, {1, never, never}, {2, never, never}, {2, never / 2, never - 1}, {1 << 32, 1 << 31, never},
		{1 << 32, 1 << 32, never}, {1 << 62, 1 << 62, never}, {never, never, never},
	} {
		if got := times(tt.n, tt.period); got != tt.want {
			t.Errorf("%d times %d is %d, not %d", tt.n, tt.period, got, tt.want)
		}
	}
}

func TestImpossibleServersPanic(t *testing.T) {
	for _, tt := range []struct{ budget, period time.Duration }{{0, ms}, {-ms, ms}, {0, 0}, {ms, -ms}, {MaxServers*ms + 1, ms}} {
		for name, f := range map[string]func(){
			"made":    func() { NewServer(tt.budget, tt.period, 0) },
			"changed": func() { NewServer(ms, 2*ms, 0).Change(tt.budget, tt.period, 0) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%v every %v was %s", tt.budget, tt.period, name)
					}
				}()
				f()
			}()
		}
	}
}

func TestServerAllocatesNothing(t *testing.T) {
	s := NewServer(2*ms, 10*ms, 0)
	var now, left time.Duration
	n := testing.AllocsPerRun(1000, func() {
		s.Wake(now)
		s.Charge(300 * us)
		left += s.Left(now) + s.Next()
		now += ms
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkServerCharge(b *testing.B) {
	s := NewServer(2*ms, 10*ms, 0)
	var now time.Duration
	b.ReportAllocs()
	for b.Loop() {
		s.Wake(now)
		if s.Left(now) > 0 {
			s.Charge(300 * us)
		}
		now += ms
	}
}
