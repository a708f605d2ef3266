// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/dom0/host"
)

// Reservation is a reservation as the master keeps it. In a request the domains
// are named by reference, a number, a name or a UUID, in Domain.Name; the number
// of the reservation, Name of a domain's, CPUs, Origin and Waits are the master's to
// fill in; in a trial, CPUs are those of a domain that does not exist yet.
type Reservation struct {
	host.Reservation
	// Name is for people: of the domain, of the command, or of the rule, which
	// it identifies.
	Name string `json:"name,omitempty"`
	// CPUs are those on which the holder and the callees were last: the budget is
	// promised on each.
	CPUs   []int  `json:"cpus,omitempty"`
	Origin Origin `json:"origin,omitempty"`
	// Waits says that the reservation does not fit where its domains are. Until it
	// does, nothing is promised on any CPU, and the host does not have it.
	Waits bool `json:"waits,omitempty"`
}

// Origin is what asked for a reservation.
type Origin string

// The origins, in the order of precedence: a domain's reservation is that of the
// first that asks for one.
const (
	FromFile    Origin = "file" // the configuration
	FromCommand Origin = ""     // adopt and run
	FromXAPI    Origin = "xapi" // a VM's other_config
)

// Status is a reservation and how it fares.
type Status struct {
	Reservation
	host.Usage
	// Absent says that the configuration names a domain that was never there.
	Absent bool `json:"absent,omitempty"`
	// Problem is why the reservation is not in force, or why its use cannot be
	// read.
	Problem string `json:"problem,omitempty"`
}

// Unserved reports whether its domain's device model is to be on it and is not.
func (s Status) Unserved() bool {
	return s.DeviceModel && s.Running() && s.Problem == "" && host.Model(s.Beside) == nil
}

// Idle are the servers that have no vCPU that is plugged in. Their budgets stay promised:
// a vCPU has its own at once when it is plugged in.
func (r Reservation) Idle() (servers []int) {
	if r.Domain == nil || len(r.Domain.Unplugged) == 0 {
		return nil
	}
	n := r.Number()
	for i := range n {
		plugged := false
		for v := i; v < r.Domain.VCPUs; v += n {
			plugged = plugged || !slices.Contains(r.Domain.Unplugged, v)
		}
		if !plugged {
			servers = append(servers, i)
		}
	}
	return servers
}

// Copy shares no domain with the reservation.
func (r Reservation) Copy() Reservation {
	if r.Domain != nil {
		d := *r.Domain
		r.Domain = &d
	}
	r.Callees = slices.Clone(r.Callees)
	return r
}

// Domains are the reservation's domains: the one that holds it, or its callees.
// They can be changed.
func (r *Reservation) Domains() []*host.Domain {
	var all []*host.Domain
	if r.Domain != nil {
		all = append(all, r.Domain)
	}
	for i := range r.Callees {
		all = append(all, &r.Callees[i].Domain)
	}
	return all
}

// Running reports whether the holder runs, or without a holder any callee.
func (r Reservation) Running() bool {
	return r.Threads != nil || r.Domain != nil && r.Domain.ID != "" ||
		slices.ContainsFunc(r.Callees, func(c host.Callee) bool { return c.ID != "" })
}

// On names what the reservation is on: the number of a domain that runs, or
// threads. It is empty if nothing runs.
func (r Reservation) On() string {
	if r.Threads != nil {
		return r.Threads.String()
	}
	return r.each(func(d *host.Domain) string { return d.ID })
}

// UUIDs are those of its domains.
func (r Reservation) UUIDs() string {
	return r.each(func(d *host.Domain) string { return d.UUID })
}

func (r Reservation) each(word func(*host.Domain) string) string {
	var words []string
	for _, d := range r.Domains() {
		if w := word(d); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, ", ")
}

// Share is how much CPU time the reservation promises, as a part of one CPU's, all its
// servers together; 0 while it waits.
func (r Reservation) Share() float64 {
	if r.Waits {
		return 0
	}
	return float64(r.Number()) * float64(r.Budget) / float64(r.Period)
}

// ShareOfEach is the part of each of its CPUs that the reservation promises; 0 while it
// waits.
func (r Reservation) ShareOfEach() float64 {
	return r.Share() * float64(r.Each()) / float64(r.Number())
}

// Each is how many of its servers each of its CPUs has, if they are spread.
func (r Reservation) Each() int {
	cpus := max(len(r.CPUs), 1)
	return (r.Number() + cpus - 1) / cpus
}

// Servings is how many servers it has of which budget: "4 x 50ms", or "50ms" if
// there is one.
func (r Reservation) Servings() string {
	switch {
	case r.Servers == host.AllVCPUs && (r.Domain == nil || r.Domain.VCPUs == 0):
		return fmt.Sprintf("all x %v", r.Budget)
	case r.Number() == 1:
		return r.Budget.String()
	}
	return fmt.Sprintf("%d x %v", r.Number(), r.Budget)
}

// Trial is what was assumed about reservations that would fit.
type Trial struct {
	Absent []string `json:"absent"` // domains that are not there yet
	CPUs   []int    `json:"cpus"`   // on which those were tried; none if there are none
}
