// SPDX-License-Identifier: Apache-2.0

// Package host is what the master needs of a host: whose time there is,
// who may have how much of it, and what was used.
//
// Its subdirectories are the hosts there are. Numbers of CPUs are the host's.
package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/throttle"
)

// Errors that callers tell apart; what is returned wraps them.
var (
	ErrNoDomain   = errors.New("no such domain")
	ErrNotHere    = errors.New("not available on this host")
	ErrNotAllowed = errors.New("the host may not do this")
	ErrNoMembers  = errors.New("no such process or thread")
	ErrLease      = errors.New("the lease is over")
)

// Domain is somebody whose CPU time can be a reservation's.
type Domain struct {
	ID string // the host's: a domain's number, a cgroup's name
	// Generation tells a domain from another that has its ID later; as long as
	// both are as they were it is the same domain, whatever else changes. 0: not
	// known.
	Generation uint64
	UUID       string // stays when the domain restarts; the ID where there is none
	Name       string
	// CPUs on which it may run, ascending.
	CPUs []int
	// Err is why its CPUs could not be found out.
	Err error
	// Control domains are never adopted, gated or throttled.
	Control bool
}

// Means reports whether a name or a UUID, which is written in either case, is the
// domain's.
func (d Domain) Means(ref string) bool {
	return ref != "" && (d.Name == ref || strings.EqualFold(d.UUID, ref))
}

// Usage is what a reservation, or what ran on it, has used since it was made.
type Usage struct {
	Foreground time.Duration `json:"foreground_ns"`  // CPU time on the budget
	Background time.Duration `json:"background_ns"`  // CPU time beyond it, that nobody else had reserved
	Throttled  time.Duration `json:"throttled_ns"`   // it could have run in background, and was not let
	Left       time.Duration `json:"left_ns"`        // of the budget, now
	Next       time.Duration `json:"next_refill_ns"` // until the next refill
}

// Host is a host. Its methods may be called at the same time.
type Host interface {
	// Name of the kind of host, for people and scripts.
	Name() string

	// Own makes this process the one master of the host, until Close or the
	// process's end. flock.ErrTaken: another is, whatever files it was given.
	Own() error

	// Notes say, for people, what keeps budgets from being kept as well as they
	// could be on this host now; none if nothing does.
	Notes() []string

	// Floor is what is kept on each CPU for those who control the host, and
	// Late by how much a budget's end may come late there.
	Floor() (floor rtsched.Task, late time.Duration)

	// Domains lists all that there are now.
	Domains(context.Context) ([]Domain, error)

	// Adopt lets a domain run on the budget of reservation r.ID in every
	// period and beyond that in background, until Release. If it does
	// already, budget and period change and nothing that was used is
	// forgotten. The caller has found that the reservation fits.
	Adopt(ctx context.Context, d Domain, r rtsched.Task) error

	// Release lets the domain run as if it never had been adopted. A domain
	// that is gone is released.
	Release(ctx context.Context, d Domain, id uint32) error

	// Usage of a reservation; ErrNoDomain if it has none any more.
	Usage(ctx context.Context, d Domain, id uint32) (Usage, error)

	// Renew keeps closed gates and throttles for that long from now. What is
	// not renewed opens by itself, also when this process is dead. ErrLease
	// says that this has happened since the last time; the new lease runs.
	Renew(time.Duration) error

	// Close ends the use of the host and leaves all that is adopted as it is.
	Close() error
}

// Throttler is a host whose CPUs can give less background time. What it is told
// ends with the lease of [Host.Renew], and must then be said anew.
type Throttler interface {
	// Throttle denies background time on a CPU for idle of every period, to
	// all but control domains and who is spared. 0 ends it. Who has budget
	// is not touched.
	Throttle(ctx context.Context, cpu int, period, idle time.Duration) error
}

// Sparer is a Throttler that can leave domains their background time.
type Sparer interface {
	// Spare begins or ends to spare the domain that runs on reservation id.
	// Its release ends it, too.
	Spare(ctx context.Context, d Domain, id uint32, spared bool) error
}

// LatencyCounter is a host that may have counters of memory latency.
type LatencyCounter interface {
	// CPUs are those of the host.
	CPUs() ([]int, error)
	// LatencySource opens the counters for CPUs that may be throttled;
	// throttle.ErrNoSource if there are none.
	LatencySource(cpus []int) (throttle.Source, error)
}

// String is how messages name the domain.
func (d Domain) String() string {
	if d.Name == "" || d.Name == d.ID {
		return d.ID
	}
	return fmt.Sprintf("%s (%.80q)", d.ID, d.Name)
}
