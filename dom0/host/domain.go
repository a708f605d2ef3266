// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"strings"

	"github.com/vlibos/vlibos/rtsched"
)

// Domain is a domain of Xen, or a cgroup of the native host.
type Domain struct {
	ID string `json:"id,omitempty"` // the host's: a domain's number, a cgroup's name
	// Generation tells a domain from another that has its ID later. As long as
	// both stay the same it is the same domain, whatever else changes. 0: not
	// known.
	Generation uint64 `json:"-"`
	UUID       string `json:"uuid,omitempty"` // stays when the domain restarts; the ID where there is none
	Name       string `json:"name,omitempty"`
	CPUs       []int  `json:"-"`               // on which it may run, ascending
	VCPUs      int    `json:"vcpus,omitempty"` // plugged or not; 0: not known
	// Unplugged are the numbers of vCPUs that are not plugged in, ascending.
	Unplugged []int `json:"unplugged,omitempty"`
	Err       error `json:"-"` // why its CPUs are not known
	Control   bool  `json:"-"` // it controls the host, and is never adopted, gated or throttled
	Work      Work  `json:"-"` // as far as the list has it; Host.Work has all
}

// Means reports whether a name or a UUID, which is written in either case, is the
// domain's. A name in the form of a UUID counts only for a domain without one: users
// name their domains, and must not get what is meant for another's UUID.
func (d Domain) Means(ref string) bool {
	if d.UUID != "" && IsUUID(ref) {
		return strings.EqualFold(d.UUID, ref)
	}
	return ref != "" && (d.Name == ref || strings.EqualFold(d.UUID, ref))
}

// String is how messages name the domain.
func (d Domain) String() string {
	if d.Name == "" || d.Name == d.ID {
		return d.ID
	}
	return fmt.Sprintf("%s (%.80q)", d.ID, d.Name)
}

// On is the reservation that the domain holds.
func (d Domain) On(t rtsched.Task) Reservation {
	return Reservation{Task: t, Holder: Holder{Domain: &d}}
}
