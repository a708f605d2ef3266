// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"errors"
	"testing"
	"time"
)

// tape is a source with prepared readings.
type tape struct {
	Counters
	err error
}

func (t *tape) Name() string { return "tape" }
func (t *tape) Close() error { return nil }
func (t *tape) Read(c *Counters) error {
	if t.err != nil {
		return t.err
	}
	c.At, c.Scale = t.At, t.Scale
	c.Units = append(c.Units[:0], t.Units...)
	c.CPUs = append(c.CPUs[:0], t.CPUs...)
	return nil
}

// move advances all counters by the step of a millisecond.
func (t *tape) move(requests, occupancy uint64, cpus ...uint64) {
	t.At += time.Millisecond
	for i := range t.Units {
		mask := uint64(1)<<t.Units[i].Width - 1
		t.Units[i].Requests = (t.Units[i].Requests + requests) & mask
		t.Units[i].Occupancy = (t.Units[i].Occupancy + occupancy) & mask
	}
	for i, n := range cpus {
		t.CPUs[i].Requests = (t.CPUs[i].Requests + n) & (1<<t.CPUs[i].Width - 1)
	}
}

func newTape() *tape {
	return &tape{Counters: Counters{
		Scale: 2, Units: []Unit{{1<<44 - 100, 1<<44 - 100, 44}, {Width: 44}},
		CPUs: []CPUCounter{{ID: 3, Requests: 1<<40 - 5, Width: 40}, {ID: 7, Width: 40}},
	}}
}

func take(t *testing.T, m *Meter, s Source, want Health) *Sample {
	t.Helper()
	got, err := m.Take(s)
	if got.Health != want || (err != nil) != (want == Failed) {
		t.Fatalf("health %v, error %v; want %v", got.Health, err, want)
	}
	return got
}

func TestWrappingCountersAreMeasured(t *testing.T) {
	s, m := newTape(), &Meter{}
	take(t, m, s, Warming)
	for range 3 {
		s.move(1000, 30_000, 1500, 500)
		got := take(t, m, s, Good)
		if got.Latency != 60 || got.Rate != 2e6 || got.Traffic != Counted || got.Span != time.Millisecond {
			t.Errorf("%+v", got)
		}
		if got.CPUs[0] != (CPU{3, 1.5e6}) || got.CPUs[1] != (CPU{7, 0.5e6}) {
			t.Errorf("%+v", got.CPUs)
		}
	}
}

func TestMeterJudgesTheHealthOfReadings(t *testing.T) {
	for name, c := range map[string]struct {
		then func(*tape)
		want []Health
	}{
		"all still":                {func(s *tape) { s.At += 200 * time.Millisecond; s.move(0, 0) }, []Health{Quiet, Quiet, Stuck, Stuck}},
		"still for long":           {func(s *tape) { s.At += time.Second; s.move(0, 0) }, []Health{Quiet, Quiet, Stuck}},
		"still for a moment":       {func(s *tape) { s.move(0, 0) }, []Health{Quiet, Quiet, Quiet, Quiet, Quiet}},
		"occupancy still":          {func(s *tape) { s.move(10, 0) }, []Health{Stuck, Stuck}},
		"requests still":           {func(s *tape) { s.move(0, 10) }, []Health{Stuck}},
		"no time passed":           {func(s *tape) { s.At -= time.Millisecond; s.move(10, 300) }, []Health{Warming}},
		"reset":                    {func(s *tape) { s.Units[0] = Unit{1, 1, 44}; s.move(1, 30) }, []Health{Implausible}},
		"a second for one request": {func(s *tape) { s.move(1, 5e8) }, []Health{Implausible}},
		"none":                     {func(s *tape) { s.Units = nil; s.move(1, 1) }, []Health{Absent, Absent}},
		"of no width":              {func(s *tape) { s.Units = []Unit{{}}; s.move(1, 1) }, []Health{Absent}},
		"one less":                 {func(s *tape) { s.Units = s.Units[:1]; s.move(10, 300) }, []Health{Warming, Good}},
		"another CPU":              {func(s *tape) { s.CPUs = s.CPUs[:1]; s.move(10, 300) }, []Health{Warming, Good}},
		"no scale":                 {func(s *tape) { s.Scale = 0; s.move(10, 300) }, []Health{Implausible}},
	} {
		s, m := newTape(), &Meter{}
		take(t, m, s, Warming)
		s.move(1000, 30_000, 1, 1)
		take(t, m, s, Good)
		for i, want := range c.want {
			c.then(s)
			if got, _ := m.Take(s); got.Health != want {
				t.Errorf("%s, reading %d: %v, want %v", name, i, got.Health, want)
			}
		}
	}
}

func TestMeterRecoversFromFailedReadings(t *testing.T) {
	s, m := newTape(), &Meter{}
	take(t, m, s, Warming)
	s.err = errors.New("gone")
	take(t, m, s, Failed)
	s.err = nil
	s.move(1000, 30_000)
	take(t, m, s, Warming)
	s.move(1000, 30_000)
	take(t, m, s, Good)
}

func TestUncountedTrafficIsTakenAsEqual(t *testing.T) {
	for name, change := range map[string]func(*tape){
		"not counted": func(s *tape) { s.CPUs[1].Width = 0 },
		"none":        func(*tape) {},
	} {
		s, m := newTape(), &Meter{}
		change(s)
		take(t, m, s, Warming)
		s.move(1000, 30_000)
		got := take(t, m, s, Good)
		if got.Traffic != Equal || got.CPUs[0] != (CPU{3, 1}) || got.CPUs[1] != (CPU{7, 1}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
