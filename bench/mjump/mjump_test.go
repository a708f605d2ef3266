// SPDX-License-Identifier: Apache-2.0

package mjump

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestTask(t *testing.T) {
	program, err := Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const budget, period, jobs = 2 * time.Millisecond, 20 * time.Millisecond, 10
	var begin time.Time
	w, err := Task(t.Context(), program, budget, period, jobs, func() error { begin = time.Now(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	// A job overruns by a block of writes, and by what the host's clock of CPU
	// time is behind; the next has that much less.
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
	if _, err := Task(t.Context(), program, budget, time.Hour, jobs, func() error { return stop }); !errors.Is(err, stop) {
		t.Errorf("a run that is called off: %v", err)
	}
	if _, err := Task(t.Context(), program, 2, 1, jobs, nil); !errors.Is(err, errNotReady) {
		t.Errorf("a run that cannot be: %v", err)
	}
	for _, args := range [][]string{{}, {"task"}, {"task", "0", "1", "1"}, {"task", "2", "1", "1"}} {
		out, err := exec.Command(program, args...).CombinedOutput()
		if err == nil || (len(args) < 2 && !strings.Contains(string(out), "usage")) {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}
