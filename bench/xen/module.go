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
// measured on the distribution's Xen, whose default it is, and credit on the same. No
// distribution builds the others. Xen boots with a scheduler of the same name, but under
// ARINC653 no DomU boots before the frame is set: it gets a cpupool later.
var machines = []struct{ scheduler, xen, boots string }{
	{schedVlib, lab.VlibXen, schedVlib},
	{schedCredit2, lab.StockXen, schedCredit2},
	{schedCredit, lab.StockXen, schedCredit},
	{schedRTDS, lab.VlibXen, schedRTDS},
	{schedNull, lab.UnsupportedXen, schedNull},
	{schedARINC, lab.UnsupportedXen, schedCredit2},
}

// Module boots each machine of the comparison, and returns the records of the
// module. Wake-ups are all that is measured if wakeups is set, under other schedulers
// than vlib and credit2, and in the boots after a machine's first. If only is not
// empty, it boots the machines of these schedulers. It returns the records that can be
// computed, after an error those of the boots before.
func Module(ctx context.Context, o Options, wakeups bool, boots int, only ...string) (records []bench.Record, err error) {
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
			onlyWakeups := wakeups || i > 0 || c.scheduler != schedVlib && c.scheduler != schedCredit2
			s, on, err := o.boot(ctx, images, lab.Config{
				Args: []string{self, Dom0ModuleArg, c.scheduler, fmt.Sprint(onlyWakeups)}, Xen: c.xen, Scheduler: c.boots, DomUs: 1 + len(beside(c.scheduler)),
				Fresh: true, // the boot itself is measured
			})
			if err != nil {
				if i > 0 {
					m[c.scheduler] = measurement{all, machine + ", sched=" + c.scheduler}
				}
				records, failed := m.records()
				return records, errors.Join(fmt.Errorf("Xen %s under %s: %w", c.xen, c.scheduler, err), failed)
			}
			machine = on
			for name, figures := range s {
				all[name] = append(all[name], figures...)
			}
		}
		m[c.scheduler] = measurement{all, machine + ", sched=" + c.scheduler}
	}
	return m.records()
}
