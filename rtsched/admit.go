// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Miss names a reservation that would not have its budget in time.
type Miss struct {
	Task Task
	// Response is the first value beyond the period that the search for the
	// response time reached; the response time is at least this long. It is
	// math.MaxInt64 if the Task is not valid.
	Response time.Duration
}

// Admit decides whether all tasks of one CPU have their budgets in each period
// when shorter periods go first; nil means that they have. Each may run up to
// late longer than its budget once, and may begin up to late after its release.
// late is limited to 0 to MaxPeriod; with MaxPeriod no task is admitted. Tasks
// with equal periods are counted against each other.
//
// A task that Validate refuses is not admitted; the list must contain nothing
// that reserves no time. The list is not changed.
//
// The test is exact for late 0 and distinct periods. Otherwise it refuses some
// sets that would meet their deadlines, and accepts none that would not.
func Admit(tasks []Task, late time.Duration) *Miss {
	if m := invalid(tasks); m != nil {
		return m
	}
	sorted := slices.Clone(tasks)
	sortTasks(sorted)
	return admit(sorted, bound(late))
}

// Most is the largest budget, exact to the nanosecond, with which t is admitted
// beside tasks. It is 0 if no budget from MinBudget on is admitted, or if tasks
// are not admitted even without t. t.Budget is ignored. To find how far a
// reservation can grow, leave it out of tasks.
func Most(tasks []Task, t Task, late time.Duration) time.Duration {
	t.Budget = MinBudget
	all := append(slices.Clone(tasks), t)
	if invalid(all) != nil {
		return 0
	}
	sortTasks(all)
	late = bound(late)
	at := lastOf(all, t)
	if admit(all, late) != nil {
		return 0
	}
	// A larger budget makes no response time shorter.
	fits, tooMuch := t.Budget, t.Period+1
	for tooMuch-fits > 1 {
		all[at].Budget = fits + (tooMuch-fits)/2
		if admit(all, late) == nil {
			fits = all[at].Budget
		} else {
			tooMuch = all[at].Budget
		}
	}
	return fits
}

func invalid(tasks []Task) *Miss {
	for _, t := range tasks {
		if t.Validate() != nil {
			return &Miss{Task: t, Response: math.MaxInt64}
		}
	}
	return nil
}

// Values within the bounds cannot overflow: a sum is at most a period, 2
// MaxPeriod of another task's budgets, and twice this.
func bound(late time.Duration) time.Duration {
	return min(max(late, 0), MaxPeriod)
}

// Stable, so that of equal tasks the same one is named as in C.
func sortTasks(tasks []Task) {
	slices.SortStableFunc(tasks, func(a, b Task) int { return cmp.Compare(a.Period, b.Period) })
}

func admit(sorted []Task, late time.Duration) *Miss {
	var r time.Duration
	for i, t := range sorted {
		if i > 0 && t.Period == sorted[i-1].Period {
			continue // up to the period, equal ones have the same response time
		}
		r = response(sorted, i, late, r)
		if r > t.Period {
			return &Miss{Task: t, Response: r}
		}
	}
	return nil
}

// response is the least fixed point of r = C + late + sum of (ceil(r / Tj) Cj +
// late), or a value beyond the period. It is at least least, that of the task
// before. The search begins there, so that all tasks together take as many
// steps as the last.
func response(sorted []Task, i int, late, least time.Duration) time.Duration {
	own := sorted[i]
	r, last := max(own.Budget, least), time.Duration(0)
	for r != last && r <= own.Period {
		last = r
		r = own.Budget + late
		for j, t := range sorted {
			if t.Period > own.Period {
				break
			}
			if j == i {
				continue
			}
			r += (last+t.Period-1)/t.Period*t.Budget + late
			if r > own.Period {
				break
			}
		}
	}
	return r
}

// Response is the worst-case response time of t beside tasks, of which it is not one:
// how long after its release t has had its budget, at the latest. A value beyond the
// period is the first one that the search reached; math.MaxInt64: a task is invalid.
func Response(tasks []Task, t Task, late time.Duration) time.Duration {
	all := append(slices.Clone(tasks), t)
	if invalid(all) != nil {
		return math.MaxInt64
	}
	sortTasks(all) // stable: of equal tasks t is the last
	return response(all, lastOf(all, t), bound(late), 0)
}

// lastOf finds the last of the tasks that equal t: t, or one equivalent to it.
func lastOf(tasks []Task, t Task) (at int) {
	for i := range tasks {
		if tasks[i] == t {
			at = i
		}
	}
	return at
}
