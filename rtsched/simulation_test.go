// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Simulations step through time one unit at a time and compute no response
// times. A unit makes the smallest values valid.
const unit = MinBudget

type randomSet struct {
	tasks    []Task
	late     time.Duration
	distinct bool // all periods differ
}

func drawSet(r *rand.Rand) randomSet {
	set := randomSet{distinct: true}
	seen := map[int]bool{}
	longest := 60
	if r.IntN(2) == 0 {
		longest = 20
	}
	for i := range 1 + r.IntN(5) {
		period := 10 + r.IntN(longest-9)
		budget := 1 + r.IntN(period/2)
		set.distinct = set.distinct && !seen[period]
		seen[period] = true
		set.tasks = append(set.tasks, Task{uint32(i), time.Duration(budget) * unit, time.Duration(period) * unit})
	}
	if r.IntN(2) == 0 {
		set.late = time.Duration(1+r.IntN(3)) * unit
	}
	return set
}

// inTime reports whether the first job of task n is done by the end of its
// period, from the critical instant on: all tasks are released at once, nothing
// begins for late, and the first job of every other task runs late longer.
func inTime(set randomSet, n int) bool {
	var work, period [5]int
	late := int(set.late / unit)
	for i, t := range set.tasks {
		work[i], period[i] = int(t.Budget/unit), int(t.Period/unit)
		if i != n {
			work[i] += late
		}
	}
	for now := 0; work[n] > 0 && now < period[n]; now++ {
		for i, t := range set.tasks {
			if now > 0 && now%period[i] == 0 && i != n {
				work[i] += int(t.Budget / unit)
			}
		}
		if now < late {
			continue
		}
		first := n
		for i := range set.tasks {
			if work[i] > 0 && period[i] < period[first] {
				first = i
			}
		}
		work[first]--
	}
	return work[n] == 0
}

func TestAdmitAgreesWithTheCriticalInstant(t *testing.T) {
	const sets = 40000
	admitted := 0
	for seed := range uint64(sets) {
		set := drawSet(rand.New(rand.NewPCG(seed, 0)))
		fits := true
		for n := range set.tasks {
			fits = fits && inTime(set, n)
		}
		m := Admit(set.tasks, set.late)
		if m == nil {
			admitted++
		}
		if m == nil && !fits {
			t.Fatalf("seed %d: admitted, and misses: %+v", seed, set)
		}
		if m != nil && fits && set.distinct && set.late == 0 {
			t.Fatalf("seed %d: refused by %+v, but would not miss: %+v", seed, m, set)
		}
		if m != nil && (m.Response <= m.Task.Period || set.tasks[m.Task.ID] != m.Task) {
			t.Fatalf("seed %d: %+v of %+v", seed, m, set)
		}
	}
	if admitted < sets/5 || admitted > sets*4/5 {
		t.Errorf("%d of %d sets admitted: they say little", admitted, sets)
	}
}

// job is the work of a simulated task.
type job struct {
	server         *Server
	work           int           // units
	arrival, again time.Duration // of this job; earliest arrival of the next
}

// Tasks arrive at any time, at most once a period, each on a server of its own
// and all on one CPU. Admitted tasks have their budget within a period.
func TestAdmittedServersAreInTime(t *testing.T) {
	const sets, length = 3000, 600
	for seed := range uint64(sets) {
		r := rand.New(rand.NewPCG(seed, 1))
		set := drawSet(r)
		if Admit(set.tasks, 0) != nil {
			continue
		}
		jobs := make([]job, len(set.tasks))
		for i, task := range set.tasks {
			jobs[i] = job{server: NewServer(task.Budget, task.Period, 0), again: time.Duration(r.IntN(20)) * unit}
		}
		for now := time.Duration(0); now < length*unit; now += unit {
			first := -1
			for i, task := range set.tasks {
				j := &jobs[i]
				if j.work == 0 && now >= j.again && r.IntN(4) > 0 {
					j.work, j.arrival, j.again = int(task.Budget/unit), now, now+task.Period
					j.server.Wake(now)
				}
				if j.work > 0 && now >= j.arrival+task.Period {
					t.Fatalf("seed %d: %+v of %+v arrived at %v is not done at %v", seed, task, set, j.arrival, now)
				}
				if j.work > 0 && j.server.Left(now) > 0 && (first < 0 || task.Period < set.tasks[first].Period) {
					first = i
				}
			}
			if first >= 0 {
				jobs[first].work--
				jobs[first].server.Charge(unit)
			}
		}
	}
}
