// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"cmp"
	"time"
)

// Caller is a process that calls.
type Caller struct {
	UID  uint32 `json:"uid"`
	Comm string `json:"comm"` // the executable's name, at most 15 bytes of it
}

// Other stands for library and function of calls for which there was no room;
// in the daemon's totals also for their caller and domain.
const Other = "(other)"

// Key identifies an account: the caller, and the called function.
type Key struct {
	Caller
	Domain   string `json:"domain"` // the UUID; on the native host the name
	Library  string `json:"library"`
	Function string `json:"function"`
}

func (k Key) compare(l Key) int {
	return cmp.Or(cmp.Compare(k.Domain, l.Domain), cmp.Compare(k.Library, l.Library), cmp.Compare(k.Function, l.Function),
		cmp.Compare(k.UID, l.UID), cmp.Compare(k.Comm, l.Comm))
}

// Account is the cost of calls since the reporting daemon began, or since their
// caller began if that was later. Counters never go backwards.
type Account struct {
	Key
	Name string `json:"name"` // of the domain, as its last caller reported it

	Wall Histogram `json:"wall"` // all calls; Receipt.Wall
	// The following have calls for which a reservation was charged, on a
	// scheduler that measures; see transport.Cost.
	CPU         Histogram     `json:"cpu"` // foreground and background together
	Queued      Histogram     `json:"queued"`
	Foreground  time.Duration `json:"foreground_ns"`
	Background  time.Duration `json:"background_ns"`
	Throttled   time.Duration `json:"throttled_ns"`
	Deschedules uint64        `json:"deschedules"`

	Errors map[string]uint64 `json:"errors"` // failed calls by kind; Wall has them, too
}

// Failed is how many calls failed.
func (a *Account) Failed() uint64 {
	var n uint64
	for _, c := range a.Errors {
		n = add(n, c)
	}
	return n
}

// counters are words at one time.
type counters [wordCount]uint64

// account reads counters.
func (c *counters) account(k Key, name string) Account {
	a := Account{
		Key: k, Name: name,
		Wall: c.histogram(wallAt, c[wallSumAt]), Queued: c.histogram(queuedAt, c[queuedSumAt]),
		CPU:        c.histogram(cpuAt, add(c[foregroundAt], c[backgroundAt])),
		Foreground: duration(c[foregroundAt]), Background: duration(c[backgroundAt]), Throttled: duration(c[throttledAt]),
		Deschedules: c[deschedulesAt], Errors: make(map[string]uint64),
	}
	for i, k := range kinds {
		if n := c[errorsAt+i]; n != 0 {
			a.Errors[k.name] = n
		}
	}
	return a
}

func (c *counters) histogram(at int, sum uint64) Histogram {
	h := Histogram{Sum: duration(sum)}
	copy(h.counts[:], c[at:at+buckets])
	return h
}

func duration(ns uint64) time.Duration { return time.Duration(min(ns, 1<<63-1)) }
