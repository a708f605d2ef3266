// SPDX-License-Identifier: Apache-2.0

package top

import (
	"cmp"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/control"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// Sample is what a master said at one time.
type Sample struct {
	At    time.Time
	Host  control.Host
	Calls control.Calls
}

// Frame is what happened between two samples, and what is so now.
type Frame struct {
	Time         time.Time     `json:"time"`
	Interval     time.Duration `json:"interval_ns"`
	Host         string        `json:"host"`
	CPUs         []CPU         `json:"cpus"`
	Reservations []Reservation `json:"reservations"`
	// Throttle is the one that runs; nil: none.
	Throttle *throttling.Status `json:"throttle"`
	Calls    []Calls            `json:"calls"`
}

// CPU is what is promised of one.
type CPU struct {
	CPU      int     `json:"cpu"`
	Reserved float64 `json:"reserved"` // share, 0 to 1
}

// Reservation is one and how it was used. Shares are of one CPU; nil: not known,
// the domain did not run all the time.
type Reservation struct {
	master.Status
	ForegroundShare *float64 `json:"foreground_share"`
	BackgroundShare *float64 `json:"background_share"`
	ThrottledShare  *float64 `json:"throttled_share"`
}

func (r *Reservation) used() float64 { return known(r.ForegroundShare) + known(r.BackgroundShare) }

// Calls is what all callers together called of a function. Times are of the
// calls in the interval.
type Calls struct {
	Domain          string        `json:"domain"`
	Name            string        `json:"name"`
	Library         string        `json:"library"`
	Function        string        `json:"function"`
	Total           uint64        `json:"calls"`
	CallsPerSecond  float64       `json:"calls_per_second"`
	P50             time.Duration `json:"p50_ns"`
	P99             time.Duration `json:"p99_ns"`
	ErrorsTotal     uint64        `json:"errors"`
	ErrorsPerSecond float64       `json:"errors_per_second"`
}

func known(p *float64) float64 {
	if p == nil {
		return 0
	}
	return *p
}

// Compare tells what happened between two samples.
func Compare(before, now Sample) Frame {
	f := Frame{Time: now.At, Interval: now.At.Sub(before.At), Host: now.Host.Host,
		Throttle: now.Host.Throttle, CPUs: []CPU{}, Reservations: []Reservation{}, Calls: []Calls{}}
	reserved := make(map[int]float64)
	for _, s := range now.Host.Adopted {
		for _, cpu := range s.CPUs {
			if !s.Waits { // else nothing is promised
				reserved[cpu] += float64(s.Budget) / float64(s.Period)
			}
		}
		f.Reservations = append(f.Reservations, f.reservation(before.Host.Adopted, s))
	}
	for cpu, share := range reserved {
		f.CPUs = append(f.CPUs, CPU{cpu, share})
	}
	slices.SortFunc(f.CPUs, func(a, b CPU) int { return cmp.Compare(a.CPU, b.CPU) })
	f.Calls = f.calls(together(before.Calls.Accounts), together(now.Calls.Accounts))
	return f
}

func (f *Frame) reservation(before []master.Status, s master.Status) Reservation {
	r := Reservation{Status: s}
	i := slices.IndexFunc(before, func(b master.Status) bool { return b.Reservation == s.Reservation && b.UUID == s.UUID })
	if i < 0 || s.Domain == "" || before[i].Domain != s.Domain {
		return r
	}
	share := func(before, now time.Duration) *float64 {
		if now < before || f.Interval <= 0 {
			return nil // it was adopted anew
		}
		v := float64(now-before) / float64(f.Interval)
		return &v
	}
	b := before[i]
	r.ForegroundShare, r.BackgroundShare = share(b.Foreground, s.Foreground), share(b.Background, s.Background)
	r.ThrottledShare = share(b.Throttled, s.Throttled)
	return r
}

type function struct{ domain, library, function string }

type count struct {
	name   string
	wall   receipt.Histogram
	failed uint64
}

// together adds up the callers of each function.
func together(all []receipt.Account) map[function]count {
	sums := make(map[function]count)
	for _, a := range all {
		key := function{a.Domain, a.Library, a.Function}
		c := sums[key]
		c.name, c.wall, c.failed = a.Name, c.wall.Plus(a.Wall), c.failed+a.Failed()
		sums[key] = c
	}
	return sums
}

func (f *Frame) calls(before, now map[function]count) []Calls {
	all := []Calls{}
	for key, c := range now {
		if c.wall.Count() == 0 {
			continue
		}
		was := before[key]
		wall := c.wall.Since(was.wall)
		call := Calls{
			Domain: key.domain, Name: c.name, Library: key.library, Function: key.function,
			Total: c.wall.Count(), ErrorsTotal: c.failed, P50: wall.Quantile(0.5), P99: wall.Quantile(0.99),
		}
		if s := f.Interval.Seconds(); s > 0 {
			call.CallsPerSecond = float64(wall.Count()) / s
			call.ErrorsPerSecond = float64(c.failed-min(was.failed, c.failed)) / s
		}
		all = append(all, call)
	}
	slices.SortFunc(all, byFunction)
	return all
}

func byFunction(a, b Calls) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Library, b.Library), cmp.Compare(a.Function, b.Function))
}
