// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const harness = "../hypervisor/test"

// buildC compiles the module's own C into a filter; hypervisor/test/parity.c
// says what it reads and prints.
func buildC(t *testing.T) string {
	t.Helper()
	// Reading the sources here makes the cached test result depend on them.
	var sources []string
	for _, pattern := range []string{harness + "/Makefile", harness + "/*.[ch]", harness + "/../xen/common/sched/vlib/*.[ch]"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	for _, name := range sources {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "parity")
	if out, err := exec.Command("make", "-s", "-C", harness, "OUT="+dir, program).CombinedOutput(); err != nil {
		t.Fatalf("gcc and make are needed: %v\n%s", err, out)
	}
	return program
}

// compare passes the operations to the C program, and fails at the first result
// that differs from Go's.
func compare(t *testing.T, program string, operations, results *bytes.Buffer) {
	t.Helper()
	given := strings.Split(operations.String(), "\n")
	c := exec.Command(program)
	c.Stdin = operations
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	inC, inGo := strings.Split(stdout.String(), "\n"), strings.Split(results.String(), "\n")
	for i := range min(len(inC), len(inGo)) {
		if inC[i] != inGo[i] {
			t.Fatalf("operation %d, %s: %q in C, %q in Go\nbefore: %s\n%s", i, given[i], inC[i], inGo[i], given[max(i, 1)-1], inGo[max(i, 1)-1])
		}
	}
	if len(inC) != len(inGo) || len(inGo) != len(given) {
		t.Fatalf("%d operations, %d results in C, %d in Go", len(given), len(inC), len(inGo))
	}
	t.Logf("%d operations", len(given)-1)
}

func upTo(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}

// randomPeriod makes short periods as likely as long ones.
func randomPeriod(r *rand.Rand) time.Duration {
	high := 2 * MinPeriod << r.IntN(16)
	return upTo(r, MinPeriod, min(high, MaxPeriod))
}

func TestServerEqualsTheModules(t *testing.T) {
	program := buildC(t)
	const servers, steps = 400, 600
	var operations, results bytes.Buffer
	fullest := 0
	for seed := range uint64(servers) {
		r := rand.New(rand.NewPCG(seed, 2))
		var s *Server
		var now time.Duration
		do := func(format string, args ...any) {
			fmt.Fprintf(&operations, format+" %d\n", append(args, int64(now))...)
			fmt.Fprintf(&results, "%d %d %d", s.Left(now), s.Next(), s.count)
			for i := range s.count {
				fmt.Fprintf(&results, " %d %d", s.nth(i).at, s.nth(i).amount)
			}
			results.WriteByte('\n')
			fullest = max(fullest, s.count)
		}
		now = upTo(r, -ms, time.Hour)
		period := randomPeriod(r)
		budget := upTo(r, MinBudget, period)
		s = NewServer(budget, period, now)
		do("n %d %d", budget, period)
		thrifty := seed%4 == 0 // often uses a little: fills the list
		step := time.Duration(8)
		if thrifty {
			step = 128
		}
		for range steps {
			operation := r.IntN(12)
			if thrifty && (operation == 5 || operation == 0 && r.IntN(50) > 0) {
				operation = 6
			}
			switch operation {
			case 0:
				period = randomPeriod(r)
				budget = upTo(r, MinBudget, period)
				if r.IntN(4) > 0 { // mostly a budget like the old one
					period, budget = s.period, min(s.period, max(MinBudget, s.budget+upTo(r, -1, 1)))
				}
				s.Change(budget, period, now)
				do("c %d %d", budget, period)
			case 1, 2, 3, 4:
				at := now + upTo(r, -2*s.period/step, 2*s.period/step)
				if r.IntN(2) == 0 {
					at = s.Next() + upTo(r, -1, 1)
				}
				now, at = at, now
				s.Wake(now)
				do("w")
				now = max(now, at)
			case 5:
				used := upTo(r, 0, 5*s.budget)
				s.Charge(used)
				do("u %d", used)
			default:
				used := s.Left(now)
				if thrifty || r.IntN(4) > 0 {
					used = upTo(r, 0, s.budget/128)
				}
				s.Charge(used)
				now += used
				do("u %d", used)
			}
			if r.IntN(3) == 0 {
				now += upTo(r, 0, s.period/step)
			}
		}
	}
	if fullest != refills {
		t.Errorf("no list was full: %d refills", fullest)
	}
	compare(t, program, &operations, &results)
}

func TestAdmitEqualsTheModules(t *testing.T) {
	program := buildC(t)
	const sets = 20000
	var operations, results bytes.Buffer
	admitted := 0
	for seed := range uint64(sets) {
		r := rand.New(rand.NewPCG(seed, 3))
		tasks := make([]Task, r.IntN(12))
		if seed%500 == 0 {
			tasks = make([]Task, 300)
		}
		for i := range tasks {
			period := randomPeriod(r)
			if r.IntN(3) == 0 && i > 0 {
				period = tasks[i-1].Period
			}
			share := time.Duration(1 + r.IntN(2*len(tasks)))
			tasks[i] = Task{uint32(i), max(MinBudget, period/share), period}
		}
		late := time.Duration(0)
		if r.IntN(2) == 0 {
			late = upTo(r, 0, 60*us)
		}
		if r.IntN(2) == 0 && len(tasks) > 0 { // at the boundary, or just beyond
			last := &tasks[len(tasks)-1]
			if most := Most(tasks[:len(tasks)-1], *last, late); most > 0 {
				last.Budget = min(most+time.Duration(r.IntN(2)), last.Period)
			}
		}
		fmt.Fprintf(&operations, "a %d %d", late, len(tasks))
		for _, task := range tasks {
			fmt.Fprintf(&operations, " %d %d %d", task.ID, task.Budget, task.Period)
		}
		operations.WriteByte('\n')
		if m := Admit(tasks, late); m != nil {
			fmt.Fprintf(&results, "%d %d\n", m.Task.ID, m.Response)
		} else {
			admitted++
			results.WriteString("ok\n")
		}
	}
	if admitted < sets/5 || admitted > sets*4/5 {
		t.Errorf("%d of %d sets admitted: they say little", admitted, sets)
	}
	compare(t, program, &operations, &results)
}
