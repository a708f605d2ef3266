// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"slices"
	"time"
)

// Longest is the longest latency of a sample in ns. No request to memory takes longer,
// except on a broken machine, so that a reading beyond it is [Implausible]. A source of
// something else reads what takes longer as this.
const Longest = float64(time.Millisecond)

// Limits of what memory can do.
const (
	// Three equal readings, and for this long, show that nothing counts:
	// running programs cause requests, and so does every probe. For a shorter
	// time a machine may well be idle because of the throttle.
	stuckReadings = 3
	stuckFor      = 500 * time.Millisecond
	// No host has more requests a second: 64 TB/s in lines of 64 bytes.
	fastest = 1e12
)

// Meter makes samples from readings. The zero value is ready to use.
type Meter struct {
	last, next Counters
	have       bool
	still      int           // readings that are all equal
	moved      time.Duration // time of the last different reading
	sample     Sample
}

// Take reads the source. The sample is valid until the next call. If reading
// fails, the sample's health says so and the error says why.
func (m *Meter) Take(s Source) (*Sample, error) {
	if err := s.Read(&m.next); err != nil {
		m.have, m.still = false, 0
		m.sample.Health, m.sample.Latency = Failed, 0
		return &m.sample, err
	}
	m.measure()
	m.last, m.next = m.next, m.last
	return &m.sample, nil
}

// measure compares next with last.
func (m *Meter) measure() {
	out, now, was := &m.sample, &m.next, &m.last
	out.At, out.Span, out.Latency, out.Rate, out.Traffic = now.At, 0, 0, 0, Equal
	out.CPUs = out.CPUs[:0]
	for _, c := range now.CPUs {
		out.CPUs = append(out.CPUs, CPU{ID: c.ID, Traffic: 1})
	}
	if !slices.ContainsFunc(now.Units, func(u Unit) bool { return u.Width > 0 }) {
		m.have, m.still, out.Health = false, 0, Absent
		return
	}
	if !m.have || !alike(now, was) || now.At <= was.At {
		m.have, m.still, m.moved, out.Health = true, 0, now.At, Warming
		return
	}
	out.Span = now.At - was.At
	var requests, occupancy float64
	for i, u := range now.Units {
		requests += since(was.Units[i].Requests, u.Requests, u.Width)
		occupancy += since(was.Units[i].Occupancy, u.Occupancy, u.Width)
	}
	out.Health = m.health(requests, occupancy)
	if out.Health != Good {
		return
	}
	if requests > 0 {
		out.Latency = occupancy * now.Scale / requests
		out.Rate = requests / out.Span.Seconds()
	}
	m.traffic()
}

func (m *Meter) health(requests, occupancy float64) Health {
	if requests == 0 || occupancy == 0 {
		// A reading that follows quickly may have seen nothing.
		m.still++
		if m.still >= stuckReadings && m.next.At-m.moved >= stuckFor || requests+occupancy > 0 {
			return Stuck
		}
		return Quiet
	}
	m.still, m.moved = 0, m.next.At
	if occupancy*m.next.Scale > requests*Longest || requests > fastest*m.sample.Span.Seconds() || !(m.next.Scale > 0) {
		return Implausible
	}
	return Good
}

// traffic sets each CPU's traffic, if all are counted and any has some.
func (m *Meter) traffic() {
	if slices.ContainsFunc(m.next.CPUs, func(c CPUCounter) bool { return c.Width == 0 }) {
		return
	}
	any := false
	for i, c := range m.next.CPUs {
		n := since(m.last.CPUs[i].Requests, c.Requests, c.Width)
		if n > fastest*m.sample.Span.Seconds() {
			any = false
			break
		}
		any = any || n > 0
		m.sample.CPUs[i].Traffic = n / m.sample.Span.Seconds()
	}
	if any {
		m.sample.Traffic = Counted
		return
	}
	for i := range m.sample.CPUs {
		m.sample.CPUs[i].Traffic = 1
	}
}

// alike reports whether two readings are from the same counters.
func alike(a, b *Counters) bool {
	return slices.EqualFunc(a.Units, b.Units, func(x, y Unit) bool { return x.Width == y.Width }) &&
		slices.EqualFunc(a.CPUs, b.CPUs, func(x, y CPUCounter) bool { return x.ID == y.ID && x.Width == y.Width })
}

// since is the increase of a counter of that many bits.
func since(was, now uint64, width int) float64 {
	d := now - was
	if width < 64 {
		d &= 1<<max(width, 0) - 1
	}
	return float64(d)
}
