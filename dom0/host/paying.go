// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"

	"github.com/vlibos/vlibos/rtsched"
)

// Paying is a Host on which reservations pay for calls.
type Paying interface {
	Host

	// Pay lets calls to a domain bring reservation r.ID, which is made, or
	// changed, until Unpay. What the domain does for nobody it does in
	// background from then on, or not at all. listens says that its server
	// tells the host when it is done with a call, else the caller does.
	// It may be repeated, and finds a domain again that was made anew. The
	// caller has found that the reservation fits.
	Pay(ctx context.Context, d Domain, r rtsched.Task, listens bool) error

	// Clear ends the call that the reservation pays for, if there is one, and
	// what its caller left that is gone and cannot say that it is done.
	Clear(ctx context.Context, id uint32) error

	// Unpay takes the reservation back; a call that it pays for ends. last
	// says that no other pays for calls to the domain, which then runs as it
	// would without. A domain that is gone, or has no ID, is left out.
	Unpay(ctx context.Context, d Domain, id uint32, last bool) error

	// Paid is what the reservation's calls have used since it was made;
	// ErrNoDomain if it is not made, for want of its domain.
	Paid(ctx context.Context, id uint32) (Usage, error)

	// PaysAdopted says that calls can be paid to a domain which is adopted,
	// and so has a reservation for what it does besides.
	PaysAdopted() bool
}

// Watching is a Host that sees whether the server of a domain hangs.
type Watching interface {
	Host

	// Stuck reports whether the domain's server is at no call that anybody
	// waits for, and has not come back for those that wait for it, or from
	// one that was given up.
	Stuck(ctx context.Context, d Domain) (bool, error)
}
