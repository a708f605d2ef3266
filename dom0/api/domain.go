// SPDX-License-Identifier: Apache-2.0

package api

import (
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// Domain is a domain and its work, on a reservation or not.
type Domain struct {
	host.Domain
	host.Work
	CPUs        []int  `json:"cpus"` // on which it may run
	Control     bool   `json:"control,omitempty"`
	Reservation uint32 `json:"reservation,omitempty"` // that it holds
	// Cache is nil if the host does not tell.
	Cache   *host.CacheUse `json:"cache,omitempty"`
	Problem string         `json:"problem,omitempty"` // why a part is not known
}

// Description is all that a master and its host know of one domain.
type Description struct {
	Domain
	// Reservations are the one that the domain holds, and those that are charged for
	// calls to it.
	Reservations []Status    `json:"reservations"`
	Admission    []Admission `json:"admission"`
	// Problems are the last ones since the master started, the oldest first.
	Problems   []Problem         `json:"problems"`
	CacheClass string            `json:"cache_class,omitempty"`
	Throttle   *Throttle         `json:"throttle"` // of the host
	Called     []Target          `json:"called"`   // what users other than root may call
	Watched    []Watched         `json:"watched"`
	Calls      []receipt.Account `json:"calls"` // what calls to it cost
	Facts      []host.Fact       `json:"facts"`
}

// Problem is why a reservation was refused, or was not in force.
type Problem struct {
	At          time.Time `json:"at"`
	Reservation uint32    `json:"reservation,omitempty"` // 0: it was refused
	Text        string    `json:"text"`
}

// Admission is the arithmetic of a domain's reservation on CPUs where the same others
// are; of a domain without one, that of TrialPeriod.
type Admission struct {
	CPUs    []int        `json:"cpus"`
	Asked   rtsched.Task `json:"asked"`   // without a budget: nothing is asked
	Servers int          `json:"servers"` // of the reservation, on each of the CPUs
	// Late is by how much each budget may end late.
	Late time.Duration `json:"late_ns"`
	// Response is how long after a release the budget was had, at worst; beyond the
	// period the first value that was found. 0: nothing is asked.
	Response time.Duration `json:"response_ns"`
	Refusal  string        `json:"refusal,omitempty"` // empty: it fits
	Most     time.Duration `json:"most_ns"`           // the largest budget that would fit in the period; 0: none, or not known
	// Beside are the other reservations there, at most MostBeside, shorter periods
	// first: those go before. Others is how many there are.
	Beside []Beside `json:"beside"`
	Others int      `json:"others"`
}

// TrialPeriod is the period for which a domain without a reservation is told what would
// fit, MostBeside how many reservations an admission names.
const (
	TrialPeriod = 100 * time.Millisecond
	MostBeside  = 64
)

// Beside is another reservation on a CPU; number 0 is the control domains' floor.
type Beside struct {
	rtsched.Task
	Name string `json:"name,omitempty"`
}
