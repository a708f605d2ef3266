// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fill makes n tasks with one budget, and periods a step apart.
func fill(n int, budget, period, step time.Duration) []Task {
	tasks := make([]Task, n)
	for i := range tasks {
		tasks[i] = Task{uint32(i + 1), budget, period + time.Duration(i)*step}
	}
	return tasks
}

func TestAdmitMatchesManualResults(t *testing.T) {
	// The response time of each takes hundreds of steps from the one before.
	slow := fill(901, 20*us, 10*s-900, 1)
	slow[0] = Task{1, 199600, 200 * us}
	for _, tt := range []struct {
		name  string
		tasks []Task
		late  time.Duration
		want  *Miss
	}{
		{"nobody", nil, 60 * us, nil},
		{"all of one CPU", fill(1, 10*s, 10*s, 0), 0, nil},
		{"and late", fill(1, 10*s, 10*s, 0), 1, &Miss{Task{1, 10 * s, 10 * s}, 10*s + 1}},
		{"a thousand CPUs' worth", fill(1024, 10*s, 10*s, 0), 0, &Miss{Task{1, 10 * s, 10 * s}, 20 * s}},
		{"shared to the end", fill(1024, 10*s/1024, 10*s, 0), 0, nil},
		{"1,024 ns more than all", fill(1024, 10*s/1024+1, 10*s, 0), 0, &Miss{Task{1, 10*s/1024 + 1, 10 * s}, 10*s + 1024 - 10*s%1024}},
		{"short to long", fill(1024, 20*us, 200*us, 9765625), 0, nil},
		{"short to long, all of it", fill(1024, 200*us, 200*us, 9765625), 0, &Miss{Task{2, 200 * us, 9965625}, 10 * ms}},
		{"all late by a second", fill(1024, 9*s, 10*s, -900*us), s, &Miss{Task{1024, 9 * s, 10*s - 1023*900*us}, 10 * s}},
		{"slowly", slow, 0, nil},
		{"exactly all", []Task{{1, 199999, 200 * us}, {2, 50 * us, 10 * s}}, 0, nil},
		{"one more", []Task{{1, 199999, 200 * us}, {2, 50*us + 1, 10 * s}}, 0, &Miss{Task{2, 50*us + 1, 10 * s}, 10*s + 1}},
		// The third: 3 + 3 of the first + 2 times 2 of the second = 10 of 12 ms.
		{"more than Liu and Layland's bound", []Task{{1, ms, 4 * ms}, {2, 2 * ms, 6 * ms}, {3, 3 * ms, 12 * ms}}, 0, nil},
		{"order does not matter", []Task{{3, 3 * ms, 12 * ms}, {2, 2 * ms, 6 * ms}, {1, ms, 4 * ms}}, 0, nil},
		{"below a sum of 1", []Task{{1, 2 * ms, 4 * ms}, {2, 2 * ms, 5 * ms}}, 0, nil},
		{"below a sum of 1, and late", []Task{{1, 2 * ms, 4 * ms}, {2, 2 * ms, 5 * ms}}, 60 * us, &Miss{Task{2, 2 * ms, 5 * ms}, 6120 * us}},
		{"equal periods", []Task{{1, 2 * ms, 4 * ms}, {2, 2*ms + 1, 4 * ms}}, 0, &Miss{Task{1, 2 * ms, 4 * ms}, 4*ms + 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.tasks)
			got := Admit(tt.tasks, tt.late)
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
			if !slices.Equal(before, tt.tasks) {
				t.Error("the list was changed")
			}
		})
	}
}

func TestAdmitRefusesInvalidTasks(t *testing.T) {
	good := Task{1, ms, 10 * ms}
	for _, bad := range []Task{
		{}, {9, 0, ms}, {9, -ms, ms}, {9, ms, 0}, {9, ms, -ms}, {9, 2 * ms, ms}, {9, 1, 2},
		{9, math.MaxInt64, math.MaxInt64}, {9, math.MinInt64, math.MinInt64}, {9, 20 * us, math.MaxInt64},
	} {
		want := Miss{bad, math.MaxInt64}
		if m := Admit([]Task{good, bad, good}, 0); m == nil || *m != want {
			t.Errorf("%+v: %+v", bad, m)
		}
		if most := Most([]Task{bad}, good, 0); most != 0 {
			t.Errorf("%v beside %+v", most, bad)
		}
	}
	tasks := fill(4096, 10*s, 10*s, 0)
	for _, late := range []time.Duration{MaxPeriod, math.MaxInt64} {
		if m := Admit(tasks, late); m == nil || m.Response != 40*s {
			t.Errorf("late %v: %+v", late, m)
		}
		if most := Most(nil, good, late); most != 0 {
			t.Errorf("late %v: %v", late, most)
		}
	}
	for _, late := range []time.Duration{-1, math.MinInt64} {
		if m := Admit(tasks[:1], late); m != nil {
			t.Errorf("late %v: %+v", late, m)
		}
	}
}

func TestMostMatchesManualResults(t *testing.T) {
	floor := Task{0, ms, 20 * ms}
	for _, tt := range []struct {
		name  string
		tasks []Task
		t     Task
		late  time.Duration
		want  time.Duration
	}{
		{"alone", nil, Task{Period: 10 * ms}, 0, 10 * ms},
		{"alone, and late", nil, Task{Period: 10 * ms}, 60 * us, 10*ms - 60*us},
		{"longer than the floor", []Task{floor}, Task{Period: 40 * ms}, 60 * us, 38*ms - 120*us},
		{"shorter than the floor", []Task{floor}, Task{Period: 10 * ms}, 60 * us, (19*ms - 120*us) / 2},
		{"equal to the floor", []Task{floor}, Task{Period: 20 * ms}, 60 * us, 19*ms - 120*us},
		{"its own budget is ignored", []Task{floor}, Task{Budget: -1, Period: 20 * ms}, 0, 19 * ms},
		{"the least", []Task{{1, 180 * us, 200 * us}}, Task{Period: 200 * us}, 0, 20 * us},
		{"less than the smallest budget", []Task{{1, 180*us + 1, 200 * us}}, Task{Period: 200 * us}, 0, 0},
		{"nothing left", []Task{{1, 200 * us, 200 * us}}, Task{Period: 10 * s}, 0, 0},
		{"too late", nil, Task{Period: 200 * us}, 180*us + 1, 0},
		{"the others miss without it", []Task{{1, 3 * ms, 4 * ms}, {2, 3 * ms, 4 * ms}}, Task{Period: s}, 0, 0},
		{"a period too short", nil, Task{Period: 200*us - 1}, 0, 0},
		{"a period too long", nil, Task{Period: 10*s + 1}, 0, 0},
	} {
		if got := Most(tt.tasks, tt.t, tt.late); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func drawTask(t *rapid.T) Task {
	period := time.Duration(rapid.Int64Range(int64(MinPeriod), int64(100*ms)).Draw(t, "period"))
	if rapid.Bool().Draw(t, "equal") {
		period = 10 * ms
	}
	return Task{1, time.Duration(rapid.Int64Range(int64(MinBudget), int64(max(period/4, MinBudget))).Draw(t, "budget")), period}
}

func TestMostIsTheLargestBudgetAdmitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tasks := rapid.SliceOfN(rapid.Custom(drawTask), 0, 6).Draw(t, "tasks")
		mine := drawTask(t)
		late := time.Duration(rapid.Int64Range(0, int64(60*us)).Draw(t, "late"))
		with := func(budget time.Duration) *Miss {
			return Admit(append(slices.Clone(tasks), Task{2, budget, mine.Period}), late)
		}
		most := Most(tasks, mine, late)
		if most == 0 {
			if with(MinBudget) == nil {
				t.Fatal("the smallest budget is admitted, and Most is 0")
			}
			return
		}
		if m := with(most); m != nil {
			t.Fatalf("%v is not admitted: %+v", most, m)
		}
		if with(most+1) == nil {
			t.Fatalf("%v is also admitted", most+1)
		}
	})
}

func TestTasksAreAdmittedIfNoResponseIsBeyondItsPeriod(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tasks := rapid.SliceOfN(rapid.Custom(drawTask), 1, 6).Draw(t, "tasks")
		late := time.Duration(rapid.Int64Range(0, int64(60*us)).Draw(t, "late"))
		fit := true
		for i, task := range tasks {
			others := slices.Delete(slices.Clone(tasks), i, i+1)
			r := Response(others, task, late)
			if r < task.Budget {
				t.Fatalf("%+v has its budget after %v", task, r)
			}
			fit = fit && r <= task.Period
		}
		if miss := Admit(tasks, late); (miss == nil) != fit {
			t.Fatalf("%+v, and all fit: %t", miss, fit)
		}
	})
	if r := Response([]Task{{}}, Task{1, ms, 10 * ms}, 0); r != math.MaxInt64 {
		t.Errorf("beside an invalid task: %v", r)
	}
}

func BenchmarkAdmit(b *testing.B) {
	tasks := fill(1000, 20*us, 50*ms, 100*us)
	if m := Admit(tasks, 0); m != nil {
		b.Fatal(m)
	}
	for b.Loop() {
		Admit(tasks, 0)
	}
}

func BenchmarkMost(b *testing.B) {
	tasks := fill(1000, 20*us, 50*ms, 100*us)
	for b.Loop() {
		Most(tasks, Task{Period: 75 * ms}, 0)
	}
}
