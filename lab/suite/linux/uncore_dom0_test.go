// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package linux

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/internal/testkit"
	suite "github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/throttle/uncore"
)

// The path at which the lab's test puts the program.
const program = "/usr/bin/mjump"

// unit is a unit of occupancy of the emulated arbiter in nanoseconds
// (lab/processor/emulator/models.c).
const unit = 0.5

// bus has the truth about what the counters count.
func bus(t *testing.T) func() (all model.Counters) {
	t.Helper()
	b, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return func() (all model.Counters) {
		for cpu := range b.CPUs() {
			c, err := b.Read(cpu)
			if err != nil {
				t.Fatal(err)
			}
			all = all.Add(c)
		}
		return all
	}
}

// The kernel's own driver reads the processor's counters; the bus' device has the truth.
func TestPerfsCountersCountTheBus(t *testing.T) {
	truth := bus(t)
	s, err := uncore.Open([]int{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var c throttle.Counters
	read := func() (requests, occupancy uint64) {
		if err := s.Read(&c); err != nil {
			t.Fatal(err)
		}
		for _, u := range c.Units {
			requests, occupancy = requests+u.Requests, occupancy+u.Occupancy
		}
		return requests, occupancy
	}
	var requests, occupancy uint64
	var before model.Counters
	const budget = 500 * time.Millisecond
	if _, err := (mjump.Task{Budget: budget, Period: budget, Jobs: 4}).Run(t.Context(), program, func() error { return nil }, func() error {
		before = truth()
		requests, occupancy = read()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	r, o := read()
	requests, occupancy = r-requests, o-occupancy
	real := truth().Since(before)
	latency := unit * float64(occupancy) / float64(requests)
	t.Logf("%s, %d units: %d requests, %d of occupancy, %.0f ns each; on the bus %d, %v, %v each",
		s.Name(), len(c.Units), requests, occupancy, latency, real.Requests, real.Occupancy, real.Latency())
	for _, cpu := range c.CPUs {
		t.Logf("CPU %d: %d misses of %d bits", cpu.ID, cpu.Requests, cpu.Width)
	}
	if real.Requests < 1000 || requests == 0 {
		t.Fatal("too few requests")
	}
	if apart := math.Abs(latency/float64(real.Latency()) - 1); apart > 0.05 {
		t.Errorf("the latency is %.1f %% apart", 100*apart)
	}
	if all := float64(requests) / float64(real.Requests); math.Abs(all-1) > 0.02 {
		t.Errorf("%.3f of the requests are counted", all)
	}
}

// Beside another program's counters the latency is right, since requests and occupancy are
// counted at the same times. While the other has all of them, that is the error.
func TestPerfsCountersOfAnotherProgram(t *testing.T) {
	s, err := uncore.Open([]int{0, 1})
	suite.Must(t, err)
	defer s.Close()
	text, err := os.ReadFile("/sys/bus/event_source/devices/uncore_arb/type")
	suite.Must(t, err)
	number, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	suite.Must(t, err)
	// another counts requests twice, with or without being asked to give its counters away.
	another := func(bits uint64) (end func()) {
		var fds [2]int
		for i := range fds {
			attr := unix.PerfEventAttr{Type: uint32(number), Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Config: 0x0181, Bits: bits}
			fds[i], err = unix.PerfEventOpen(&attr, -1, 0, -1, 0)
			suite.Must(t, err)
		}
		return func() {
			for _, fd := range fds {
				suite.Must(t, unix.Close(fd))
			}
		}
	}
	latency := func(what string) float64 {
		var before, after throttle.Counters
		const budget = time.Second
		_, err := (mjump.Task{Budget: budget, Period: budget, Jobs: 2}).Run(t.Context(), program, func() error { return nil },
			func() error { return s.Read(&before) })
		suite.Must(t, err)
		suite.Must(t, s.Read(&after))
		u, was := after.Units[0], before.Units[0]
		each := unit * float64(u.Occupancy-was.Occupancy) / float64(u.Requests-was.Requests)
		t.Logf("%s: %d requests, %.0f ns each", what, u.Requests-was.Requests, each)
		return each
	}
	alone := latency("alone")
	end := another(0)
	beside := latency("in turns with another program")
	end()
	if math.Abs(beside/alone-1) > 0.05 {
		t.Errorf("%.0f ns in turns, %.0f alone", beside, alone)
	}
	end = another(unix.PerfBitPinned)
	var c throttle.Counters
	testkit.Eventually(t, "the other program is named", func() bool {
		err := s.Read(&c)
		if err != nil {
			t.Log(err)
		}
		return err != nil && strings.Contains(err.Error(), "another program")
	})
	end()
	testkit.Eventually(t, "the counters are back", func() bool { return s.Read(&c) == nil })
	latency("after its end")
}

type machine struct {
	*testing.T
	bus *model.Bus
}

// measure returns the requests a second of each CPU, and how long one takes.
func (m machine) measure(what string, d time.Duration) (rate, latency [2]float64) {
	m.Helper()
	read := func() (c [2]model.Counters) {
		for cpu := range c {
			var err error
			if c[cpu], err = m.bus.Read(cpu); err != nil {
				m.Fatal(err)
			}
		}
		return c
	}
	before, begin := read(), time.Now()
	time.Sleep(d)
	after, took := read(), time.Since(begin)
	for cpu := range after {
		c := after[cpu].Since(before[cpu])
		rate[cpu] = float64(c.Requests) / took.Seconds()
		if c.Requests > 0 {
			latency[cpu] = float64(c.Latency())
		}
	}
	m.Logf("%s: requests a second %.0f and %.0f, of %.0f and %.0f ns", what, rate[0], rate[1], latency[0], latency[1])
	return rate, latency
}

// batch is a domain with m_jump on a CPU, which has a budget of a hundredth of it.
func (m machine) batch(p *native.Host, cpu int) host.Domain {
	m.Helper()
	c := exec.Command("taskset", "-c", fmt.Sprint(cpu), program, mjump.Batch)
	if err := c.Start(); err != nil {
		m.Fatal(err)
	}
	d := host.Domain{ID: "batch", UUID: "batch", Name: "batch"}
	m.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		if err := p.Remove(context.Background(), d.ID); err != nil {
			m.Error(err)
		}
	})
	if err := p.Create(d.ID, c.Process.Pid); err != nil {
		m.Fatal(err)
	}
	if err := p.Pin(m.Context(), d.ID, []int{cpu}); err != nil {
		m.Fatal(err)
	}
	if err := p.Reserve(m.Context(), d.On(rtsched.Task{ID: 1, Budget: 2 * time.Millisecond, Period: 200 * time.Millisecond})); err != nil {
		m.Fatal(err)
	}
	return d
}

// Closed over perf's counters, the master's loop takes leftover time from a cgroup that keeps
// memory busy beside a program on another CPU, and none from it alone. Periods are long,
// because all programs are slow here.
func TestThrottleOverPerfTakesLeftoverTime(t *testing.T) {
	const (
		victimCPU, batchCPU = 0, 1
		service             = 10 * time.Microsecond
		threshold           = 1.3 * float64(service) / unit
		period              = 500 * time.Millisecond
		lease               = 10 * time.Minute
		look                = 5 * time.Second
	)
	bus, err := model.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	m := machine{t, bus}
	free := func() { // programs start as fast as without the model
		if err := bus.SetService(0); err != nil {
			t.Fatal(err)
		}
	}
	free()
	p, err := native.Open(native.Options{Guard: []string{"vlibmaster", "guard", "native", native.DefaultParent}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	d := m.batch(p, batchCPU)
	// A busy emulator may start the guard too late.
	testkit.Eventually(t, "the lease", func() bool {
		err := p.Renew(lease)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	})
	policy, err := throttle.New("threshold", throttle.Params{Threshold: threshold})
	if err != nil {
		t.Fatal(err)
	}
	source, err := p.LatencySource([]int{batchCPU})
	if err != nil {
		t.Fatal(err)
	}
	loop := throttling.New(throttling.Options{
		Period: period, Source: source, Policy: policy, Host: p, Limit: time.Minute,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- loop.Run(ctx) }()
	defer func() {
		free()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := p.Unreserve(context.Background(), d.On(rtsched.Task{ID: 1})); err != nil {
			t.Error(err)
		}
	}()
	if err := bus.SetService(service); err != nil {
		t.Fatal(err)
	}
	// What else runs here at times is enough to close it, and a program that looks often is
	// as good as a victim: each look takes long.
	var alone [2]float64
	testkit.Eventually(t, "the throttle to be open for batch alone", func() bool {
		alone, _ = m.measure("batch alone", look)
		s := loop.Status()
		return s.State != api.ThrottleClosed && strings.Contains(s.Source, "uncore_arb")
	})
	victim := exec.Command("taskset", "-c", fmt.Sprint(victimCPU), program, mjump.Batch)
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		victim.Process.Kill()
		victim.Wait()
	}()
	testkit.Eventually(t, "the throttle to close", func() bool {
		s := loop.Status()
		m.measure(fmt.Sprint(s), look)
		return s.State == api.ThrottleClosed && len(s.CPUs) == 1 && s.CPUs[0].Idle > 0.5
	})
	beside, latency := m.measure("both, with the throttle", look)
	t.Log(loop.Status())
	if beside[batchCPU] > 0.6*alone[batchCPU] || latency[victimCPU] > 1.5*float64(service) {
		t.Errorf("batch keeps %.2f of its requests; one of the victim takes %.0f ns", beside[batchCPU]/alone[batchCPU], latency[victimCPU])
	}
}
