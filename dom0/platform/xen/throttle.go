// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"time"

	"github.com/vlibos/vlibos/dom0/platform"
)

var _ platform.Throttler = (*Platform)(nil)

// Throttle implements platform.Throttler: the module does it.
func (p *Platform) Throttle(_ context.Context, cpu int, period, idle time.Duration) error {
	return p.m.Throttle(cpu, period, idle)
}
