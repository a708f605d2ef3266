// SPDX-License-Identifier: Apache-2.0

package native

import (
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/uncore"
)

var _ host.LatencyCounter = (*Host)(nil)

// LatencySource implements host.LatencyCounter: bare metal has counters,
// virtual machines have none.
func (p *Host) LatencySource(cpus []int) (throttle.Source, error) { return uncore.Open(cpus) }
