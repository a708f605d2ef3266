// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"

	"github.com/vlibos/vlibos/rtsched"
)

// Members are threads of this system, which controls the host: a process with
// all that it starts, or one thread alone.
type Members struct {
	PID int `json:"pid"`
	TID int `json:"tid,omitempty"` // of the one thread; 0: the process
	// Start is when that process or thread was started, in clock ticks
	// since boot: it tells it from another that gets its number.
	Start uint64 `json:"start"`
}

func (m Members) String() string {
	if m.TID != 0 {
		return fmt.Sprintf("thread %d of process %d", m.TID, m.PID)
	}
	return fmt.Sprintf("process %d", m.PID)
}

// Reservation is one that threads here run on, and that pays for what they call.
type Reservation struct {
	rtsched.Task
	Members
	Calls  []Domain // that it may call
	Resume bool     // an earlier master made it, and its members may be left of it
}

// Reserver is a Host on which threads of this system run on reservations,
// each of which is one account for their own CPU time and for what domains
// use for their calls. With budget, threads are real-time, shorter periods
// first; without, they have the time that nobody else wants.
type Reserver interface {
	Host

	// MemberCPUs are the host's CPUs on which members may run, ascending.
	// ErrNoMembers if they are gone.
	MemberCPUs(Members) ([]int, error)

	// Reserve puts members on a reservation until Unreserve or until the last
	// of them has ended. The caller has found that it fits.
	Reserve(ctx context.Context, r Reservation) error

	// Unreserve makes them ordinary threads again. A reservation that has
	// ended is unreserved.
	Unreserve(ctx context.Context, id uint32) error

	// Reserved is what was used of a reservation, by members and by those
	// they called; ErrNoMembers if it has ended.
	Reserved(ctx context.Context, id uint32) (Usage, error)
}
