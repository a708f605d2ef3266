// SPDX-License-Identifier: Apache-2.0

package bussim

import (
	"math/rand/v2"
	"time"
)

// Service is a program that answers requests. They arrive at random moments, whatever
// happens to the earlier ones (Poisson), and are answered in their order, one at a
// time. Its core makes one request to memory at a time.
type Service struct {
	Rate float64 // requests a second
	// Accesses are the numbers of accesses to memory of requests, and Think the times
	// that requests compute before, between and after them, together. Each request has
	// one of each, drawn with equal chances.
	Accesses []int
	Think    []time.Duration
}

// serving is a service's state.
type serving struct {
	random    *rand.Rand
	arrived   time.Duration // when the request that is served was due
	left      int           // accesses that it will make
	gap       time.Duration // mean time that it computes between them
	latencies []time.Duration
}

// begin waits for the first request. The draws of a service depend on the seed alone,
// so that the same requests arrive beside any other program.
func (c *core) begin(seed uint64) {
	c.serving = serving{random: rand.New(rand.NewPCG(seed, 1))}
	c.ready[0], c.first = c.request(0), -1
}

// request draws the next request, and returns when its first access is made if the
// service is free from that moment on.
func (c *core) request(free time.Duration) time.Duration {
	c.arrived += time.Duration(c.random.ExpFloat64() * float64(time.Second) / c.Service.Rate)
	c.left = c.Service.Accesses[c.random.IntN(len(c.Service.Accesses))]
	c.gap = c.Service.Think[c.random.IntN(len(c.Service.Think))] / time.Duration(c.left+1)
	return max(free, c.arrived) + c.compute()
}

//go:norace
func (c *core) compute() time.Duration {
	return time.Duration(c.random.Float64() * float64(2*c.gap))
}

// access ends an access of the request that is served, and returns when the next is made.
//
//go:norace
func (c *core) access(end time.Duration) time.Duration {
	end += c.compute()
	if c.left--; c.left > 0 {
		return end
	}
	c.latencies = append(c.latencies, end-c.arrived)
	return c.request(end)
}

// Latencies returns how long a service's requests took, from when they were due to their
// answers, which have been answered since the last call.
func (m *Machine) Latencies(i int) []time.Duration {
	l := m.cores[i].latencies
	m.cores[i].latencies = nil
	return l
}
