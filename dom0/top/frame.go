// SPDX-License-Identifier: Apache-2.0

package top

import (
	"cmp"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// Sample is the state of the master at one time.
type Sample struct {
	At    time.Time
	Host  api.Host
	Calls api.Calls
}

// Frame is the state of a host now and what happened since the sample before.
type Frame struct {
	Time         time.Time     `json:"time"`
	Interval     time.Duration `json:"interval_ns"`
	Host         string        `json:"host"`
	CPUs         []CPU         `json:"cpus"`
	Reservations []Reservation `json:"reservations"`
	Domains      []Domain      `json:"domains"` // all, on a reservation or not
	// Throttle is nil if none runs.
	Throttle *api.Throttle `json:"throttle"`
	Calls    []Calls       `json:"calls"`
}

// CPU is the part of one CPU that reservations have.
type CPU struct {
	CPU      int     `json:"cpu"`
	Reserved float64 `json:"reserved"` // share, 0 to 1
}

// Reservation is a reservation and its use. Shares are of one CPU; nil: not known,
// because its holder did not run all the time.
type Reservation struct {
	api.Status
	ForegroundShare *float64 `json:"foreground_share"`
	BackgroundShare *float64 `json:"background_share"`
	ThrottledShare  *float64 `json:"throttled_share"`
}

// Domain is a domain and its work. Shares are of one CPU; nil: not known, because it did
// not run all the time, or because the host does not tell.
type Domain struct {
	api.Domain
	CPUShare       *float64 `json:"cpu_share"`
	StealShare     *float64 `json:"steal_share"`
	ThrottledShare *float64 `json:"throttled_share"`
}

// Calls are the calls of a function by all callers. Times are of the calls in the
// interval.
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

// Compare returns what happened between two samples.
func Compare(before, now Sample) Frame {
	f := Frame{Time: now.At, Interval: now.At.Sub(before.At), Host: now.Host.Host,
		Throttle: now.Host.Throttle, CPUs: []CPU{}, Reservations: []Reservation{}, Domains: []Domain{}, Calls: []Calls{}}
	reserved := make(map[int]float64)
	reservations := make(map[uint32]api.Status)
	for _, s := range before.Host.Reservations {
		reservations[s.ID] = s
	}
	for _, s := range now.Host.Reservations {
		for _, cpu := range s.CPUs {
			reserved[cpu] += s.ShareOfEach()
		}
		f.Reservations = append(f.Reservations, f.reservation(reservations[s.ID], s))
	}
	domains := make(map[string]api.Domain)
	for _, d := range before.Host.Domains {
		domains[d.ID] = d
	}
	for _, d := range now.Host.Domains {
		f.Domains = append(f.Domains, f.domain(domains[d.ID], d))
	}
	for cpu, share := range reserved {
		f.CPUs = append(f.CPUs, CPU{cpu, share})
	}
	slices.SortFunc(f.CPUs, func(a, b CPU) int { return cmp.Compare(a.CPU, b.CPU) })
	f.Calls = f.calls(together(before.Calls.Accounts), together(now.Calls.Accounts))
	return f
}

func (f *Frame) reservation(b, s api.Status) Reservation {
	r := Reservation{Status: s}
	if b.ID != s.ID || b.UUIDs() != s.UUIDs() || !s.Running() || b.On() != s.On() {
		return r
	}
	r.ForegroundShare, r.BackgroundShare = f.share(&b.Foreground, &s.Foreground), f.share(&b.Background, &s.Background)
	r.ThrottledShare = f.share(&b.Throttled, &s.Throttled)
	return r
}

func (f *Frame) domain(b, d api.Domain) Domain {
	if b.ID != d.ID || b.UUID != d.UUID {
		return Domain{Domain: d}
	}
	return Domain{d, f.share(&b.CPU, &d.CPU), f.share(b.Steal, d.Steal), f.share(b.Work.Throttled, d.Work.Throttled)}
}

// share is the increase of a time as a share of the interval.
func (f *Frame) share(before, now *time.Duration) *float64 {
	if before == nil || now == nil || *now < *before || f.Interval <= 0 {
		return nil // it was made again, or is not known
	}
	v := float64(*now-*before) / float64(f.Interval)
	return &v
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
