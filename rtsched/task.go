// SPDX-License-Identifier: Apache-2.0

package rtsched

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of budgets and periods: VLIB_MIN_BUDGET, VLIB_MIN_PERIOD and
// VLIB_MAX_PERIOD in hypervisor/xen/include/public/vlib.h. A budget is at most
// its period.
const (
	MinBudget = 20 * time.Microsecond
	MinPeriod = 200 * time.Microsecond
	MaxPeriod = 10 * time.Second
)

// MaxServers is the largest number of servers of one reservation:
// VLIB_MAX_SERVERS.
const MaxServers = 128

// ErrRange says that a budget or a period is outside the bounds.
var ErrRange = errors.New("out of range")

// Task is a reservation as admission and hosts see it: Budget of CPU time in
// every Period, exact to the nanosecond.
type Task struct {
	ID     uint32        `json:"id,omitempty"` // 0: the control domains' floor
	Budget time.Duration `json:"budget_ns"`
	Period time.Duration `json:"period_ns"`
}

// Validate checks Budget and Period against the bounds. Errors wrap ErrRange
// and name the value and its allowed range.
func (t Task) Validate() error {
	if t.Period < MinPeriod || t.Period > MaxPeriod {
		return fmt.Errorf("%speriod %v is %w: %v to %v are allowed", t.numbered(), t.Period, ErrRange, MinPeriod, MaxPeriod)
	}
	if t.Budget < MinBudget || t.Budget > t.Period {
		return fmt.Errorf("%sbudget %v is %w: %v to its period, %v, are allowed", t.numbered(), t.Budget, ErrRange, MinBudget, t.Period)
	}
	return nil
}

// numbered names a reservation in an error. A requested one has no number yet.
func (t Task) numbered() string {
	if t.ID == 0 {
		return ""
	}
	return fmt.Sprintf("reservation %d: ", t.ID)
}
