// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// Adoption is what was decided for a domain, whether or not it runs just now.
type Adoption struct {
	UUID        string        `json:"uuid"`
	Name        string        `json:"name"`
	Reservation uint32        `json:"reservation"`
	Budget      time.Duration `json:"budget_ns"`
	Period      time.Duration `json:"period_ns"`
	Class       Class         `json:"class"`
	CPUs        []int         `json:"cpus"`                 // where the domain was last
	Configured  bool          `json:"configured,omitempty"` // by the configuration, not by hand
	// ID is the host's of the domain that runs on it; empty: none does. It is
	// that domain as long as it lives, whatever its UUID is then.
	ID string `json:"id,omitempty"`
	// Waits says that it does not fit where its domain is, and so has no room
	// anywhere until it does.
	Waits bool `json:"waits,omitempty"`
}

func (a Adoption) task() rtsched.Task {
	return rtsched.Task{ID: a.Reservation, Budget: a.Budget, Period: a.Period}
}

// Reservations with these numbers are the master's; those below are left to
// tools that make their own.
const (
	firstReservation = 2048
	lastReservation  = 4095
)

// adoption is one with what the master knows of it.
type adoption struct {
	Adoption
	domain  host.Domain // the running one; no ID: there is none
	problem error       // why it does not run on its reservation, as far as is known
}

func (a *adoption) share() float64 { return float64(a.Budget) / float64(a.Period) }

func (a *adoption) running() bool { return a.domain.ID != "" }

// Errors that callers tell apart, besides the host's.
var (
	ErrNotAdopted = errors.New("not adopted")
	ErrControl    = errors.New("a control domain is not adopted")
	ErrFull       = errors.New("all reservations are in use")
	ErrClass      = errors.New("no such class")
)

// errNone is the ErrNoDomain of a reference that means no domain, rather than
// several.
var errNone = fmt.Errorf("%w", host.ErrNoDomain)

// find returns the domain that ref means: a number, a name or a UUID.
func find(all []host.Domain, ref string) (host.Domain, error) {
	var found []host.Domain
	for _, d := range all {
		if d.ID == ref {
			return d, nil
		}
		if d.Means(ref) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return host.Domain{}, fmt.Errorf("domain %.80q: %w: there are %s", ref, errNone, describe(all))
	}
	return host.Domain{}, fmt.Errorf("domain %.80q: %w that only this name means: use one of %s", ref, host.ErrNoDomain, describe(found))
}

// mostNamed bounds how many domains an error lists.
const mostNamed = 20

func describe(all []host.Domain) string {
	var names []string
	for i, d := range all {
		if i == mostNamed {
			names = append(names, fmt.Sprintf("%d more", len(all)-i))
			break
		}
		names = append(names, d.String())
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
