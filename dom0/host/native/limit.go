// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// limitPeriod is the kernel's default, in µs.
const limitPeriod = 100_000

// Limit caps a domain at a share of one CPU, whether or not another wants it,
// by the kernel's own means; 1 or more removes the cap. It is the alternative
// to reservations, for comparison.
func (p *Host) Limit(d host.Domain, share float64) error {
	if err := p.exists(d.ID); err != nil {
		return err
	}
	dir := filepath.Join(p.layout.cpu.dir, d.ID)
	quota := int(share * limitPeriod)
	if quota < 1000 { // the kernel's least
		return fmt.Errorf("domain %q: a cap of %v: the least is a hundredth of a CPU", d.ID, share)
	}
	var err error
	if p.layout.cpu.version == 2 {
		text := strconv.Itoa(quota)
		if share >= 1 {
			text = "max"
		}
		err = cgroup.Write(filepath.Join(dir, "cpu.max"), fmt.Sprintf("%s %d", text, limitPeriod))
	} else {
		if share >= 1 {
			quota = -1
		}
		err = cgroup.Write(filepath.Join(dir, "cpu.cfs_period_us"), strconv.Itoa(limitPeriod))
		if err == nil {
			err = cgroup.Write(filepath.Join(dir, "cpu.cfs_quota_us"), strconv.Itoa(quota))
		}
	}
	if err != nil {
		return fmt.Errorf("cap of domain %q: %w", d.ID, explain(err))
	}
	return nil
}

// Dissolve removes the parent cgroup, which must not have domains any more,
// after Close. It is for a program that made the parent temporarily.
func (p *Host) Dissolve() error {
	for _, h := range p.layout.places() {
		if err := evacuate(h.dir, filepath.Dir(h.dir), 0); err != nil && !cgroup.Gone(err) {
			return explain(err)
		}
	}
	return nil
}
