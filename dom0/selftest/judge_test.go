// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/doctor"
	"github.com/vlibos/vlibos/throttle"
)

const (
	budget = 20 * time.Millisecond
	period = 100 * time.Millisecond
	late   = 2 * time.Millisecond
)

// run is what a domain's readings would be: in each period it has some foreground, and
// the account differs from the counter by an error.
func run(random *rand.Rand, foreground func() time.Duration, off func() time.Duration) []sample {
	var all []sample
	var s sample
	for range 11 {
		all = append(all, s)
		for range 40 {
			fg := foreground()
			bg := time.Duration(random.Int64N(int64(period - fg)))
			s.at += period
			s.account.Foreground += fg
			s.account.Background += bg
			s.counted += fg + bg
		}
		s.took = time.Duration(random.Int64N(int64(time.Millisecond)))
		s.counted += off()
	}
	return all
}

// A host that gives the budget in every period, each late by less than it says, passes;
// readings that are off by less than a lateness do not matter.
func TestHostsThatKeepBudgetsPass(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(1, seed))
		within := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(2*int64(d))) - d }
		r := judgeBudgets(run(random, func() time.Duration { return budget + within(late)*9/10 }, func() time.Duration { return within(late) }), budget, period, late)
		if r.Verdict != Passed {
			t.Fatalf("seed %d: %+v", seed, r)
		}
	}
}

// A fault beyond what the host says is found, wherever it is and however small.
func TestHostsThatDoNotKeepBudgetsFail(t *testing.T) {
	none := func() time.Duration { return 0 }
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(2, seed))
		more := 1.2 + random.Float64()*3
		less := random.Float64() * 0.8
		wrong := late + 4*time.Second/100 + 3*time.Millisecond + time.Duration(random.Int64N(int64(time.Second)))
		if random.IntN(2) == 0 {
			wrong = -wrong
		}
		for name, all := range map[string][]sample{
			"at most":     run(random, func() time.Duration { return time.Duration(more * float64(budget)) }, none),
			"at least":    run(random, func() time.Duration { return time.Duration(less * float64(budget)) }, none),
			"was counted": run(random, func() time.Duration { return budget }, func() time.Duration { return wrong }),
		} {
			if r := judgeBudgets(all, budget, period, late); r.Verdict != Failed || !strings.Contains(r.Reason, name) {
				t.Fatalf("seed %d: want a fault %q: %+v", seed, name, r)
			}
		}
	}
}

// The verdict is that of the worst window, whichever it is.
func TestOneBadWindowFails(t *testing.T) {
	for bad := 1; bad <= 10; bad++ {
		all := run(rand.New(rand.NewPCG(3, 1)), func() time.Duration { return budget }, func() time.Duration { return 0 })
		for i := bad; i < len(all); i++ {
			all[i].account.Foreground += time.Second
		}
		if r := judgeBudgets(all, budget, period, late); r.Verdict != Failed {
			t.Errorf("window %d: %+v", bad, r)
		}
	}
}

// Too few samples are no success.
func TestNothingMeasuredIsNoSuccess(t *testing.T) {
	for name, r := range map[string]Result{
		"no sample":  judgeBudgets(nil, budget, period, late),
		"one sample": judgeBudgets(make([]sample, 1), budget, period, late),
		"no timer":   judgeTimers(nil, late),
		"no call":    judgeCalls(nil),
		"no request": judgeCounters(0, 0, 1000),
	} {
		if r.Verdict != Failed || r.Reason == "" {
			t.Errorf("%s: %+v", name, r)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: cannot be sent: %v", name, err)
		}
	}
}

func TestTimersAreJudgedByTheNinetyNinthPercentile(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(4, seed))
		lates := make([]time.Duration, 1000)
		over := random.IntN(40)
		for i := range lates {
			lates[i] = time.Duration(random.Int64N(int64(late)))
			if i < over {
				lates[i] += late + 1
			}
		}
		random.Shuffle(len(lates), func(i, j int) { lates[i], lates[j] = lates[j], lates[i] })
		want := Passed
		if over > 10 {
			want = Failed
		}
		if r := judgeTimers(lates, late); r.Verdict != want {
			t.Errorf("%d of 1000 too late: %+v", over, r)
		}
	}
}

func TestCountersThatWrapHaveGrown(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(5, seed))
		width := 20 + random.IntN(45)
		mask := ^uint64(0)
		if width < 64 {
			mask = 1<<width - 1
		}
		from, by := random.Uint64()&mask, random.Uint64N(1<<18)
		before := []throttle.Unit{{Requests: from, Occupancy: from, Width: width}}
		after := []throttle.Unit{{Requests: (from + by) & mask, Occupancy: (from + 2*by) & mask, Width: width}}
		if r, o := grown(before, after); r != float64(by) || o != float64(2*by) {
			t.Errorf("width %d, %d from %d: %v, %v", width, by, from, r, o)
		}
	}
	if r := judgeCounters(1000, 100_000, 1000); r.Verdict != Passed {
		t.Errorf("%+v", r)
	}
	if r := judgeCounters(1000, 10, 1000); r.Verdict != Failed {
		t.Errorf("stuck occupancy: %+v", r)
	}
}

// A part that is not possible is no failure of the host; all else is.
func TestImpossibleIsNotFailed(t *testing.T) {
	other := errors.New("broken")
	for _, c := range []struct {
		err  error
		want Verdict
	}{{nil, Passed}, {other, Failed}, {impossible("no PMU"), Impossible}, {fmt.Errorf("part: %w", impossible("%w", other)), Impossible}} {
		r := result("x", Result{Verdict: Passed, Reason: "fine"}, c.err)
		report := Report{Results: []Result{{Verdict: Passed}, r}}
		if r.Part != "x" || r.Verdict != c.want || r.Reason == "" || errors.Is(report.Err(), ErrFailed) != (c.want == Failed) {
			t.Errorf("%v: %+v, %v", c.err, r, report.Err())
		}
	}
	if err := (Report{Left: "a domain"}).Err(); !errors.Is(err, ErrFailed) {
		t.Errorf("something is left: %v", err)
	}
}

// The file to send has nothing of the facts that names this host, its domains or users.
func TestReportHasNoNames(t *testing.T) {
	const secret = "secret"
	f := doctor.Facts{
		Host: "xen", Domains: []doctor.Domain{{ID: secret, Name: secret, UUID: secret}}, Problem: secret, Xenstore: secret,
		Native: doctor.NativeFacts{Dir: secret}, Master: doctor.Master{Problem: secret},
	}
	f.Xen.Version, f.Xen.Scheduler = "4.17.5", "credit2"
	text, err := json.Marshal(describe(f))
	if err != nil || strings.Contains(string(text), secret) || !strings.Contains(string(text), "4.17.5") {
		t.Errorf("%s, %v", text, err)
	}
	host := reflect.TypeFor[Report]()
	for i := range host.NumField() {
		if name := strings.ToLower(host.Field(i).Name); strings.Contains(name, "address") || strings.Contains(name, "hostname") {
			t.Errorf("field %s", name)
		}
	}
}
