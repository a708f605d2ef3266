// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Miss says which reservation would not have its budget in time.
type Miss struct {
	Task Task
	// Response is the first value beyond the period that the search for the
	// response time came to; the response time is not less. It is
	// math.MaxInt64 if the Task is not valid.
	Response time.Duration
}

// Admit tells whether all tasks of one CPU have their budgets in each period
// when shorter periods go first; nil: they have. Each may run up to late longer
// than its budget once, and be late by as much when it begins; late is counted
// as at least 0 and at most MaxPeriod, with which nobody is admitted. Equal
// periods are counted against each other.
//
// A task that Validate does not accept is not admitted; what reserves nothing
// is not to be in the list. The list is not changed.
//
// The test is exact for late 0 and distinct periods. Otherwise it refuses some
// sets that would do, and accepts none that would not.
func Admit(tasks []Task, late time.Duration) *Miss {
	if m := invalid(tasks); m != nil {
		return m
	}
	sorted := slices.Clone(tasks)
	sortTasks(sorted)
	return admit(sorted, bound(late))
}

// Most is the largest budget, exact to the nanosecond, with which t is admitted
// beside tasks; 0 if there is none from MinBudget on, or if tasks are not
// admitted anyway. What t.Budget is does not matter. To find how far a
// reservation can grow, leave it out of tasks.
func Most(tasks []Task, t Task, late time.Duration) time.Duration {
	t.Budget = MinBudget
	all := append(slices.Clone(tasks), t)
	if invalid(all) != nil {
		return 0
	}
	sortTasks(all)
	late = bound(late)
	// The last of those that equal t, which is t or is as good as it.
	at := 0
	for i := range all {
		if all[i] == t {
			at = i
		}
	}
	if admit(all, late) != nil {
		return 0
	}
	// No response time gets shorter by a larger budget.
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

// What is in bounds cannot overflow: a sum is at most a period, 2 MaxPeriod of
// another task's budgets, and twice this.
func bound(late time.Duration) time.Duration {
	return min(max(late, 0), MaxPeriod)
}

// Stable, so that the same one of equals is named as in C.
func sortTasks(tasks []Task) {
	slices.SortStableFunc(tasks, func(a, b Task) int { return cmp.Compare(a.Period, b.Period) })
}

func admit(sorted []Task, late time.Duration) *Miss {
	var r time.Duration
	for i, t := range sorted {
		r = response(sorted, i, late, r)
		if r > t.Period {
			return &Miss{Task: t, Response: r}
		}
	}
	return nil
}

// response is the least fixed point of r = C + late + sum of (ceil(r / Tj) Cj +
// late), or a value beyond the period. It is not below least, that of the task
// before, so the search begins there: all tasks together take the steps of one.
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
