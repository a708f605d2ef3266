// SPDX-License-Identifier: Apache-2.0

package native

import (
	"github.com/vlibos/vlibos/dom0/platform"
	"github.com/vlibos/vlibos/throttle"
	"github.com/vlibos/vlibos/throttle/uncore"
)

var _ platform.LatencyCounter = (*Platform)(nil)

// LatencySource implements platform.LatencyCounter: bare metal has counters,
// virtual machines have none.
func (p *Platform) LatencySource(cpus []int) (throttle.Source, error) { return uncore.Open(cpus) }
