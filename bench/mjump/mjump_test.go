// SPDX-License-Identifier: Apache-2.0

package mjump

import (
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
	begin := time.Now()
	w, err := Task(t.Context(), program, budget, period, jobs)
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
	for _, args := range [][]string{{}, {"task"}, {"task", "0", "1", "1"}, {"task", "2", "1", "1"}} {
		out, err := exec.Command(program, args...).CombinedOutput()
		if err == nil || (len(args) < 2 && !strings.Contains(string(out), "usage")) {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}
