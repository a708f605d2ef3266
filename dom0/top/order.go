// SPDX-License-Identifier: Apache-2.0

package top

import (
	"cmp"
	"fmt"
	"slices"
)

// Order sorts the rows.
type Order int

// The orders.
const (
	ByUse   Order = iota // most CPU time, most calls first
	ByName               // of the domain
	ByDelay              // longest throttled, highest 99th percentile first
	orders
)

func (o Order) String() string { return [...]string{"use", "name", "delay"}[o] }

// next is the order after the key s.
func (o Order) next() Order { return (o + 1) % orders }

// place is what the order of a row depends on.
type place struct {
	name, id    string
	used, delay float64
}

func (r *Reservation) place() place {
	return place{r.Name, fmt.Sprintf("%4d", r.ID), known(r.ForegroundShare) + known(r.BackgroundShare), known(r.ThrottledShare)}
}

func (d *Domain) place() place {
	return place{d.Name, d.ID, known(d.CPUShare), known(d.ThrottledShare)}
}

func (o Order) compare(a, b place) int {
	switch o {
	case ByUse:
		return cmp.Compare(b.used, a.used)
	case ByDelay:
		return cmp.Compare(b.delay, a.delay)
	}
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
}

// Sort sorts a frame's lists; equal ones keep their order.
func (f *Frame) Sort(o Order) {
	slices.SortStableFunc(f.Reservations, func(a, b Reservation) int { return o.compare(a.place(), b.place()) })
	slices.SortStableFunc(f.Domains, func(a, b Domain) int { return o.compare(a.place(), b.place()) })
	slices.SortStableFunc(f.Calls, func(a, b Calls) int {
		switch o {
		case ByUse:
			return cmp.Compare(b.CallsPerSecond, a.CallsPerSecond)
		case ByDelay:
			return cmp.Compare(b.P99, a.P99)
		}
		return byFunction(a, b)
	})
}
