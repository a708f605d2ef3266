// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/requestlatency"
)

// mode returns the mode of a name.
func mode(t *testing.T, name string) Mode {
	t.Helper()
	for _, m := range Modes {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("no mode %s", name)
	return Mode{}
}

func TestLimitIsAboveNineOfTenLatenciesAlone(t *testing.T) {
	l := levels{alone: map[string][]float64{"probe": make([]float64, 20), "felt": make([]float64, 20), "few": {1}}}
	for i := range 20 {
		l.alone["probe"][i] = 100
		l.alone["felt"][i] = float64(100 + 10*i) // median 195, nine of ten below 271
	}
	for source, want := range map[string]float64{"probe": 115, "felt": 271} {
		if got, err := l.limit(source); err != nil || got < want-0.01 || got > want+0.01 {
			t.Errorf("%s: %v, %v, want %v", source, got, err, want)
		}
	}
	if _, err := l.limit("few"); err == nil || !strings.Contains(err.Error(), "measure the service alone first") {
		t.Error(err)
	}
}

// feltSource is the name of the source that the service's users' latency comes from.
var feltSource = (*requestlatency.Source)(nil).Name()

// Each policy slows the job down by the source that it is given, and the notes
// name the source.
func TestEachPolicySlowsTheJobDown(t *testing.T) {
	h := open(t)
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	h.Felt = filepath.Join(t.TempDir(), "felt")
	felt, err := requestlatency.Create(h.Felt)
	if err != nil {
		t.Fatal(err)
	}
	defer felt.Close()
	for _, c := range []struct {
		job, mode string
		note      string
	}{
		{"m_jump", "rate", "budget_" + lines + "_per_s"},
		{"m_jump", "threshold", "limit_" + h.source.Name() + "_ns"},
		{"m_jump", "feedback", "limit_" + feltSource + "_ns"},
		{"compression", "rate", "budget_" + cpuTime + "_per_s"},
	} {
		t.Run(c.mode+" "+c.job, func(t *testing.T) {
			if err := Missing(c.job); err != nil {
				t.Skip(err)
			}
			if err := h.SetJob(t.Context(), c.job, self); err != nil {
				t.Fatal(err)
			}
			if h.unit() == misses {
				t.Skip("this machine counts misses, so the substitute cannot be tried")
			}
			if err := h.Set(t.Context(), mode(t, c.mode)); c.note != "budget_"+cpuTime+"_per_s" && (err == nil || !strings.Contains(err.Error(), "measure the ")) {
				t.Fatalf("before any measurement: %v", err)
			}
			// A level that any traffic exceeds.
			h.levels.traffic = rate{count: 1, seconds: 1}
			h.levels.alone = map[string][]float64{h.source.Name(): make([]float64, leastLooks), feltSource: make([]float64, leastLooks)}
			for _, looks := range h.levels.alone {
				for i := range looks {
					looks[i] = 1
				}
			}
			if err := h.Set(t.Context(), mode(t, c.mode)); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "the job is slowed down", func() bool {
				felt.Add(1, time.Millisecond/2)
				u, err := h.host.Usage(t.Context(), h.domain(Job).On(background))
				if err != nil {
					t.Fatal(err)
				}
				return u.Throttled > 0
			})
			if err := h.Set(t.Context(), mode(t, "shared")); err != nil {
				t.Fatal(err)
			}
			before := h.job.work()
			testkit.Eventually(t, "work without control", func() bool { return h.job.work() > before })
			n := h.notes[c.mode]
			if n[c.note] <= 0 || n["throttle_held_s"] <= 0 || n["throttle_decisions"] <= 0 || n["throttle_s"] < n["throttle_held_s"] {
				t.Errorf("%v, want %s in it", n, c.note)
			}
		})
	}
}

// A throttle continues in a mode's next block where it was. Later in a block it begins
// again, as a daemon's does, when its source is healthy again.
func TestPolicyContinuesInTheNextBlock(t *testing.T) {
	p, err := throttle.New("threshold", throttle.Params{Threshold: 100})
	if err != nil {
		t.Fatal(err)
	}
	k, idle := &resumed{Policy: p}, make([]float64, 1)
	slow := &throttle.Sample{Latency: 120, CPUs: []throttle.CPU{{Traffic: 1}}}
	k.Reset()
	for range 5 {
		k.Decide(slow, idle)
	}
	level := idle[0]
	if level == 0 {
		t.Fatal("not throttled")
	}
	k.resume = true // the next block
	k.Reset()
	fine := &throttle.Sample{Latency: 95, CPUs: slow.CPUs}
	if k.Decide(fine, idle); idle[0] != level {
		t.Errorf("an idle share of %v, and %v before", idle[0], level)
	}
	k.Reset()
	if k.Decide(fine, idle); idle[0] != 0 {
		t.Errorf("an idle share of %v after a reset", idle[0])
	}
}

// A block is discarded when something happened to the machine, and keeps its work.
func TestDisturbedBlockIsDiscarded(t *testing.T) {
	h := open(t)
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := h.SetJob(t.Context(), "m_jump", self); err != nil {
		t.Fatal(err)
	}
	if err := h.Set(t.Context(), Find(Uncontrolled)); err != nil {
		t.Fatal(err)
	}
	end := h.Look()
	before := h.job.work()
	testkit.Eventually(t, "work", func() bool { return h.job.work() > before })
	count(h.late[1].memory).Add(1) // as the watcher of the job's CPU does
	if b := end(); b.Work <= 0 || b.Discarded != Late && b.Discarded != Stolen {
		t.Errorf("%+v", b)
	}
}

// The watcher counts a wake-up that is late, here because it was stopped.
func TestWatcherCountsLateness(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: SCHED_FIFO")
	}
	l, err := startLateness(0, self)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "a late wake-up", func() bool {
		if err := l.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * mostLate)
		if err := l.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		return count(l.memory).Load() > 0
	})
	if err := l.close(); err != nil {
		t.Error(err)
	}
}
