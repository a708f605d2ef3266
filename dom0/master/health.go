// SPDX-License-Identifier: Apache-2.0

package master

import "sync/atomic"

// Health counts problems of the master itself since it was opened.
type Health struct {
	LeaseLost    uint64 // times that it renewed late, when gates and throttles had opened
	ReviewErrors uint64 // reviews of the domains that failed
}

type health struct{ leaseLost, reviewErrors atomic.Uint64 }

// Health returns counts of the problems that the log describes.
func (m *Master) Health() Health {
	return Health{LeaseLost: m.health.leaseLost.Load(), ReviewErrors: m.health.reviewErrors.Load()}
}
