// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"time"

	"github.com/vlibos/vlibos/dom0/platform"
	"github.com/vlibos/vlibos/dom0/platform/internal/domains"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

var (
	_ platform.Throttler = (*Platform)(nil)
	_ platform.Sparer    = (*Platform)(nil)
)

// Throttle implements platform.Throttler: the module does it.
func (p *Platform) Throttle(_ context.Context, cpu int, period, idle time.Duration) error {
	return p.m.Throttle(cpu, period, idle)
}

// Spare implements platform.Sparer.
func (p *Platform) Spare(_ context.Context, d platform.Domain, _ uint32, spared bool) error {
	domid, err := domains.Number(d)
	if err != nil {
		return err
	}
	if spared {
		return p.m.SetDomain(domid, vlib.Critical, 0)
	}
	return p.m.SetDomain(domid, 0, vlib.Critical)
}
