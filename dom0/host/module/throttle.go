// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

var (
	_ host.Throttler = (*Host)(nil)
	_ host.Sparer    = (*Host)(nil)
)

// Throttle implements host.Throttler: the module does it.
func (p *Host) Throttle(_ context.Context, cpu int, period, idle time.Duration) error {
	return p.m.Throttle(cpu, period, idle)
}

// Spare implements host.Sparer.
func (p *Host) Spare(_ context.Context, d host.Domain, _ uint32, spared bool) error {
	domid, err := domains.Number(d)
	if err != nil {
		return err
	}
	if spared {
		return p.m.SetDomain(domid, vlib.Critical, 0)
	}
	return p.m.SetDomain(domid, 0, vlib.Critical)
}
