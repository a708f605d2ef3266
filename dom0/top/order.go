// SPDX-License-Identifier: Apache-2.0

package top

import (
	"cmp"
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

// Sort sorts a frame's rows; equal ones keep their order.
func (f *Frame) Sort(o Order) {
	slices.SortStableFunc(f.Reservations, func(a, b Reservation) int {
		switch o {
		case ByUse:
			return cmp.Compare(b.used(), a.used())
		case ByDelay:
			return cmp.Compare(known(b.ThrottledShare), known(a.ThrottledShare))
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
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
