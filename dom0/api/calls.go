// SPDX-License-Identifier: Apache-2.0

package api

import (
	"time"

	"github.com/vlibos/vlibos/vlibcall/receipt"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Calls is what a master knows of the calls that tools made.
type Calls struct {
	Accounts []receipt.Account `json:"accounts"`
	Health   receipt.Health    `json:"health"`
}

// Target is a server of a domain that users other than root may call, and how its
// calls go. Counts are since the rules name it.
type Target struct {
	Domain  string         `json:"domain"` // as the rules name it
	Port    transport.Port `json:"port"`
	Clients uint64         `json:"clients"` // channels that are open to it
	Waiting int            `json:"waiting"` // calls in its queue, as far as their clients say
	Calls   uint64         `json:"calls"`   // that rules allowed
	Done    uint64         `json:"done"`    // of the calls: answered with a result
	Failed  uint64         `json:"failed"`  // of the calls: all others that have ended
	// Timeouts are failed calls that were given up: at the rule's timeout, at the
	// caller's, or when the caller ended. Expired were given up in the queue, and are
	// not among Calls.
	Timeouts uint64 `json:"timeouts"`
	Expired  uint64 `json:"expired"`
	Refused  uint64 `json:"refused"` // no rule allows them
}

// Watched is a domain whose vLib OS is watched.
type Watched struct {
	Domain   string        `json:"domain"`   // as the configuration names it
	Wedged   bool          `json:"wedged"`   // it does not come back from a call
	For      time.Duration `json:"for_ns"`   // how long it has been wedged
	Restarts int           `json:"restarts"` // since the master started
}
