// SPDX-License-Identifier: Apache-2.0

package control

import (
	"github.com/vlibos/vlibos/dom0/api"
)

// ended is the reservation that a command ends: a domain's, or that of a number.
type ended struct {
	Domain      string `json:"domain,omitempty"`
	Reservation uint32 `json:"reservation,omitempty"`
}

// Host is what a master says of its host.
type Host struct {
	Host         string       `json:"host"`
	Reservations []api.Status `json:"reservations"` // all, by number
	// Called are the vLib OSes that unprivileged tools may call, Wedged those
	// that do not come back from a call.
	Called []api.Target  `json:"called"`
	Wedged []api.Watched `json:"wedged"`
	// Throttle is the one that runs; nil: none.
	Throttle *api.Throttle `json:"throttle"`
	// Notes say what keeps budgets from being kept as well as they could be.
	Notes []string `json:"notes,omitempty"`
}
