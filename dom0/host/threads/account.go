// SPDX-License-Identifier: Apache-2.0

package threads

import (
	"time"

	"github.com/vlibos/vlibos/dom0/host"
)

// Account is where a host keeps a reservation's one account. The keeper
// calls it in its own thread.
type Account interface {
	// Charge takes what the threads have used themselves since the last
	// time, and what callees have used for them; and does what follows for
	// callees.
	Charge(now time.Duration, u Use) (State, error)
	// Where are the CPUs on which somebody runs for it now, besides its
	// threads, and is not accounted for to the moment.
	Where() []int
	// Usage in all, as of the last Charge.
	Usage(now time.Duration) host.Usage
	// Close ends the reservation. Leave gives back what this process has of
	// it, and lets it be.
	Close() error
	Leave() error
}

// Use is what was used between two looks.
type Use struct {
	Own        time.Duration // by the reservation's threads
	Others     time.Duration // by those that go before them, for whom they may have waited
	Foreground bool          // they were real-time
}

// State is how a reservation fares.
type State struct {
	Left time.Duration // of the budget; 0: in background
	Next time.Duration // until there is some, then
	Wide int           // on how many CPUs callees can use it while its threads do
	Look time.Duration // look again in that time, whatever is left; 0: no matter
	// Rest is how long a reservation for calls alone can be left alone, since
	// it pays for none now; 0: it does.
	Rest time.Duration
}
