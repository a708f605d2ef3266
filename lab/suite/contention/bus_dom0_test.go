// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package contention

import (
	"math"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/vlibcall"
)

// The two CPUs, and the path at which the lab's test puts the program.
const (
	dom0CPU = 0
	domuCPU = 1
	domU    = 1
	program = "/usr/bin/mjump"
	service = 10 * time.Microsecond
)

// run is the result of m_jump in Dom0, and what the bus counted meanwhile.
type run struct {
	perSecond    float64
	mine, theirs model.Counters
}

// late is the part of the time on the bus that the emulating host added.
func (r run) late() float64 {
	sum := r.mine.Add(r.theirs)
	return float64(sum.Late) / float64(sum.Occupancy)
}

type machine struct {
	*testing.T
	bus *model.Bus
}

func (h machine) read() (mine, theirs model.Counters) {
	h.Helper()
	for cpu, c := range map[int]*model.Counters{dom0CPU: &mine, domuCPU: &theirs} {
		var err error
		if *c, err = h.bus.Read(cpu); err != nil {
			h.Fatal(err)
		}
	}
	return mine, theirs
}

func (h machine) jump() run {
	h.Helper()
	const budget, jobs = 500 * time.Millisecond, 4
	var mine, theirs model.Counters
	w, err := mjump.Task{Budget: budget, Period: budget, Jobs: jobs}.Run(h.Context(), program, func() error { return nil }, func() error {
		mine, theirs = h.read()
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	m, t := h.read()
	r := run{w.PerSecond(), m.Since(mine), t.Since(theirs)}
	h.Logf("%.0f writes a second, %v a request, %d requests; DomU %d requests; host late %.1f %%",
		r.perSecond, r.mine.Latency(), r.mine.Requests, r.theirs.Requests, 100*r.late())
	return r
}

// beside runs m_jump in Dom0 while another runs in the DomU.
func (h machine) beside() run {
	h.Helper()
	requests := func() (uint64, error) {
		_, theirs := h.read()
		return theirs.Requests, nil
	}
	stop, err := domu.Background(h.Context(), domU, vlibcall.Options{Wait: vlibcall.Block}, requests, 1000, program, mjump.Batch)
	if err != nil {
		h.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			h.Error(err)
		}
	}()
	return h.jump()
}

// m_jump runs alone, beside another, beside another, alone. The bus has its own clock, so its
// figures are valid on a busy host. The speeds are not, and are judged only if the host was
// quiet.
func TestTwoProgramsSlowEachOtherDownOnTheBus(t *testing.T) {
	bus, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Close() })
	if bus.Service() != service || bus.CPUs() != 2 {
		t.Fatalf("%d CPUs and %v a turn, want 2 and %v", bus.CPUs(), bus.Service(), service)
	}
	h := machine{t, bus}
	first, two, again, last := h.jump(), h.beside(), h.beside(), h.jump()
	for _, r := range []run{first, last} {
		if apart := math.Abs(float64(r.mine.Latency())/float64(service) - 1); apart > 0.05 {
			t.Errorf("a request takes %v alone, %.0f %% from a turn of %v", r.mine.Latency(), 100*apart, service)
		}
	}
	alone := float64(first.mine.Latency()+last.mine.Latency()) / 2
	crowded := float64(two.mine.Latency()+again.mine.Latency()) / 2
	if crowded < 1.1*alone {
		t.Errorf("a request takes %.0f ns beside another and %.0f alone", crowded, alone)
	}
	for _, r := range []run{two, again} {
		if r.theirs.Requests < 10*(first.theirs.Requests+1) || r.theirs.Occupancy < service*time.Duration(r.theirs.Requests) {
			t.Errorf("the DomU's m_jump: %+v, without it %+v", r.theirs, first.theirs)
		}
	}
	slowed := (two.perSecond + again.perSecond) / (first.perSecond + last.perSecond)
	apart := math.Abs(first.perSecond/last.perSecond - 1)
	t.Logf("m_jump beside another has %.2f of its speed alone; alone it is within %.1f %% of itself; %v a turn", slowed, 100*apart, service)
	const quiet = 0.02
	if max(first.late(), two.late(), again.late(), last.late()) > quiet {
		t.Logf("the host was busy: speeds are not judged")
		return
	}
	if slowed > 0.8 || apart > 0.05 {
		t.Errorf("speed beside another %.2f of that alone, want 0.8 at most; alone apart by %.1f %%, want 5", slowed, 100*apart)
	}
}
