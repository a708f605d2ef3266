// SPDX-License-Identifier: Apache-2.0

package api

// Host is what a master says of its host.
type Host struct {
	Host         string   `json:"host"`         // the kind: module, stock or native
	Reservations []Status `json:"reservations"` // all, by number
	// Domains are all domains, with their work; nil if they were not asked for.
	Domains []Domain `json:"domains,omitempty"`
	// Called are the servers that users other than root may call, Wedged the domains
	// that do not come back from a call.
	Called []Target  `json:"called"`
	Wedged []Watched `json:"wedged"`
	// Throttle is nil if nothing is throttled.
	Throttle *Throttle `json:"throttle"`
	// Notes say why budgets are kept less well now than the host could keep them.
	Notes []string `json:"notes,omitempty"`
}

// Ended names a reservation that is to end: a domain's, or that of a number.
type Ended struct {
	Domain      string `json:"domain,omitempty"`
	Reservation uint32 `json:"reservation,omitempty"`
}
