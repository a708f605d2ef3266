// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/lab"
)

// The arguments that make this program, in the lab, call [Dom0Module] (the name
// of a scheduler follows, and whether only its wake-ups are measured) and
// [Listener].
const (
	Dom0ModuleArg = "module-dom0"
	ListenerArg   = "module-listener"
)

// machines are the boots that are compared. They differ in Xen alone. Credit2 is
// measured on the distribution's Xen, whose default it is. No distribution
// builds RTDS.
var machines = []struct{ scheduler, xen string }{
	{schedVlib, lab.VlibXen},
	{schedCredit2, lab.StockXen},
	{schedRTDS, lab.VlibXen},
}

// Module boots each machine of the comparison, and returns the records of the
// module. The boots after a machine's first measure its wake-ups alone. If only is
// not empty, it boots the machines of these schedulers, and returns the records
// that can be computed from them.
func Module(ctx context.Context, o Options, boots int, only ...string) (records []bench.Record, err error) {
	images, err := o.images(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, images.remove()) }()
	m := make(measurements)
	for _, c := range machines {
		if len(only) > 0 && !slices.Contains(only, c.scheduler) {
			continue
		}
		all := make(Samples)
		var machine string
		for i := range boots {
			var s Samples
			s, machine, err = o.boot(ctx, images, lab.Config{
				Args: []string{self, Dom0ModuleArg, c.scheduler, fmt.Sprint(i > 0)}, Xen: c.xen, Scheduler: c.scheduler, DomUs: 3,
				Fresh: true, // the boot itself is measured
			})
			if err != nil {
				return nil, fmt.Errorf("Xen %s under %s: %w", c.xen, c.scheduler, err)
			}
			for name, figures := range s {
				all[name] = append(all[name], figures...)
			}
		}
		m[c.scheduler] = measurement{all, machine + ", sched=" + c.scheduler}
	}
	return m.records()
}
