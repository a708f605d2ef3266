// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"context"
	"fmt"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
)

// Work implements host.Host: Xen's list has all that an unmodified Xen tells. It does
// not tell how long a vCPU waited: VCPUOP_get_runstate_info is for a domain's own.
func (p *Host) Work(_ context.Context, d host.Domain) (host.Work, error) { return d.Work, nil }

// Facts implements host.Host.
func (p *Host) Facts(ctx context.Context, d host.Domain) ([]host.Fact, error) {
	facts, err := p.list.Facts(ctx, d)
	if err != nil {
		return facts, err
	}
	domid, err := domains.Number(d)
	if err != nil {
		return facts, err
	}
	info, err := p.h.DomainInfo(domid)
	if err != nil {
		return facts, err
	}
	pool, err := p.h.Pool(info.CPUPool)
	if err != nil || !pool.Scheduler.Weighs() {
		return facts, err
	}
	w, err := p.h.Weight(domid, pool.Scheduler)
	if err != nil {
		return facts, err
	}
	limit := "none"
	if w.Cap > 0 {
		limit = fmt.Sprintf("%d %% of a CPU", w.Cap)
	}
	return append(facts, host.Fact{Name: "weight", Value: fmt.Sprintf("%d under %v, cap %s", w.Weight, pool.Scheduler, limit)}), nil
}
