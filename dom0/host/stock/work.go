// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"context"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/xenctl"
)

// Work implements host.Host: Xen's list has all that an unmodified Xen tells. It does
// not tell how long a vCPU waited: VCPUOP_get_runstate_info is for a domain's own.
func (p *Host) Work(ctx context.Context, d host.Domain) (host.Work, error) {
	w := d.Work
	domid, err := domains.Number(d)
	if err == nil {
		w.Helpers = p.list.Helpers(ctx, domid)
	}
	return w, err
}

// Facts implements host.Host.
func (p *Host) Facts(_ context.Context, d host.Domain) ([]host.Fact, error) {
	return p.list.Facts(d, func(domid uint16, pool xenctl.Pool) (string, []host.Fact, error) {
		scheduler := pool.Scheduler.String()
		if !pool.Scheduler.Weighs() {
			return scheduler, nil, nil
		}
		w, err := p.h.Weight(domid, pool.Scheduler)
		limit := "none"
		if w.Cap > 0 {
			limit = fmt.Sprintf("%d %% of a CPU", w.Cap)
		}
		return scheduler, []host.Fact{{Name: "weight", Value: fmt.Sprintf("%d under %s, cap %s", w.Weight, scheduler, limit)}}, err
	})
}
