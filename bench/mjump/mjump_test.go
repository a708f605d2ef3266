// SPDX-License-Identifier: Apache-2.0

package mjump

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestTaskUsesItsBudgetInEachPeriod(t *testing.T) {
	program, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const warm, budget, period, jobs = time.Millisecond, 2 * time.Millisecond, 20 * time.Millisecond, 10
	good := func() error { return nil }
	var begin time.Time
	w, err := Task{Warm: warm, Budget: budget, Period: period, Jobs: jobs, Bytes: 1 << 20}.Run(t.Context(), program, good, func() error { begin = time.Now(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	// A job overruns by one block of writes and by the delay of the host's CPU
	// clock. The next job has that much less.
	if w.Used < jobs*budget || w.Used > 2*jobs*budget {
		t.Errorf("used %v in %d jobs of %v", w.Used, jobs, budget)
	}
	if elapsed := time.Since(begin); elapsed < (jobs-1)*period {
		t.Errorf("%d jobs, one every %v, within %v", jobs, period, elapsed)
	}
	if w.Writes == 0 || w.PerSecond() != float64(w.Writes)/w.Used.Seconds() {
		t.Errorf("work %+v, %v writes a second", w, w.PerSecond())
	}
	stop := errors.New("no")
	for _, steps := range [][]func() error{{func() error { return stop }, nil}, {good, func() error { return stop }}} {
		if _, err := (Task{Budget: budget, Period: time.Hour, Jobs: jobs}).Run(t.Context(), program, steps[0], steps[1]); !errors.Is(err, stop) {
			t.Errorf("a cancelled run: %v", err)
		}
	}
	if _, err := (Task{Budget: 2, Period: 1, Jobs: jobs}).Run(t.Context(), program, nil, nil); !errors.Is(err, errNotReady) {
		t.Errorf("an impossible run: %v", err)
	}
	for _, args := range [][]string{{}, {"task"}, {"task", "0", "0", "1", "1"}, {"task", "0", "2", "1", "1"}, {"task", "-1", "1", "1", "1"}} {
		out, err := exec.Command(program, args...).CombinedOutput()
		if err == nil || (len(args) < 2 && !strings.Contains(string(out), "usage")) {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}
