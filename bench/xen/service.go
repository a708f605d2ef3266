// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/tail"
	"github.com/vlibos/vlibos/lab"
)

// Dom0ServiceArg is the argument that makes this program, in the lab, call
// [Dom0Service]; the name of a scheduler follows.
const Dom0ServiceArg = "service-dom0"

// The service: memcached with little data, because this mode has no caches, and
// requests that need about a tenth of a CPU.
var (
	serviceData  = tail.Data{Keys: 1000, Size: 100}
	serviceOrder = tail.Order{Rate: 1000, Settle: time.Second, Time: 10 * time.Second, Seed: 1}
)

// The reservation of its domain.
const (
	serviceBudget = 3 * time.Millisecond
	servicePeriod = 10 * time.Millisecond
)

const (
	memcachedPort = 11211
	runMemcached  = "exec memcached -u root -l " + domuAddress + " -U 0 -m 64 -t 1"
)

// Names of settings: without neighbours, and with a reservation.
const (
	alone    = "alone"
	reserved = "reserved"
)

// serviceSettings are those of its domain beside the two spinning ones.
var serviceSettings = map[string][]setting{
	schedVlib: {
		noCap,
		{reserved, func(_ context.Context, b *machine) error {
			return errors.Join(b.module.Reserve(paying, serviceBudget, servicePeriod), b.module.Adopt(measured, paying))
		}},
	},
	schedCredit2: settings[schedCredit2][:2],
}

// Service boots the distribution's Xen and the module's. It returns the records
// of memcached in a DomU, under open load from Dom0, beside two DomUs that spin on
// its CPU.
func Service(ctx context.Context, o Options) (records []bench.Record, err error) {
	images, err := o.images(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, images.remove()) }()
	for _, c := range machines {
		if serviceSettings[c.scheduler] == nil {
			continue
		}
		s, machine, err := o.boot(ctx, images, lab.Config{
			Args: []string{self, Dom0ServiceArg, c.scheduler}, Xen: c.xen, Scheduler: c.scheduler, DomUs: 3,
			DomUPackages: []string{"memcached"},
		})
		if err != nil {
			return nil, fmt.Errorf("Xen %s under %s: %w", c.xen, c.scheduler, err)
		}
		of, err := serviceRecords(c.scheduler, s, machine+", sched="+c.scheduler)
		if err != nil {
			return nil, err
		}
		records = append(records, of...)
	}
	return records, nil
}
