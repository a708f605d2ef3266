// SPDX-License-Identifier: Apache-2.0

package control

import (
	"github.com/vlibos/vlibos/dom0/gateway"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
)

// request is what a command asks for.
type request struct {
	master.Wish
	Wishes []master.Wish `json:"wishes,omitempty"`
}

// held is what a command asks for about threads.
type held struct {
	master.Claim
	Reservation uint32 `json:"reservation,omitempty"`
}

// Host is what a master says of its host.
type Host struct {
	Host    string          `json:"host"`
	Adopted []master.Status `json:"adopted"`
	// Threads are reservations of threads of this system.
	Threads []master.HeldStatus `json:"threads"`
	// Paid are reservations that pay for the calls of a rule.
	Paid []master.PaidStatus `json:"paid"`
	// Called are the vLib OSes that unprivileged tools may call, Wedged those
	// that do not come back from a call.
	Called []gateway.Status  `json:"called"`
	Wedged []gateway.Watched `json:"wedged"`
	// Throttle is the one that runs; nil: none.
	Throttle *throttling.Status `json:"throttle"`
	// Notes say what keeps budgets from being kept as well as they could be.
	Notes []string `json:"notes,omitempty"`
}
