// SPDX-License-Identifier: Apache-2.0

package master

import "sync/atomic"

// Health is how the master itself has fared since it was opened.
type Health struct {
	LeaseLost    uint64 // how often it was late to renew, and gates and throttles had opened
	ReviewErrors uint64 // reviews of the domains that failed
}

type health struct{ leaseLost, reviewErrors atomic.Uint64 }

// Health counts what the log has in words.
func (m *Master) Health() Health {
	return Health{LeaseLost: m.health.leaseLost.Load(), ReviewErrors: m.health.reviewErrors.Load()}
}
