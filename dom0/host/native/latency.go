// SPDX-License-Identifier: Apache-2.0

package native

import (
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/uncore"
)

// LatencySource implements host.Host: bare metal has counters,
// virtual machines have none.
func (p *Host) LatencySource(cpus []int) (throttle.Source, error) { return uncore.Open(cpus) }
