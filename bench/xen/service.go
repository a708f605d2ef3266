// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/vlibos/vlibos/bench"
	"github.com/vlibos/vlibos/bench/tail"
	"github.com/vlibos/vlibos/lab"
)

// Dom0ServiceArg is the argument that makes this program, in the lab, call
// [Dom0Service]; the name of a scheduler and [ServiceSize] follow.
const Dom0ServiceArg = "service-dom0"

// serviceData is little, because this mode has no caches.
var serviceData = tail.Data{Keys: 1000, Size: 100}

// ServiceSize is how large the service's experiment is.
type ServiceSize struct {
	// VCPUs of each domain, which have as many CPUs together, and memcached threads. With
	// several there are as many CPUs more, for the others while it has its own alone.
	VCPUs int
	Rate  int           // of requests a second; 1,000 need about a tenth of a CPU
	Time  time.Duration // of each setting
}

// Check returns an error for a size that is too small or too large to measure.
func (s ServiceSize) Check() error {
	if s.VCPUs < 1 || s.VCPUs > 16 || s.Rate < 1 || s.Rate > 10000 || s.Time < time.Second || s.Time > time.Hour {
		return fmt.Errorf("%d vCPUs, %d requests a second for %v: allowed are 1 to 16, 1 to 10000, and 1s to 1h", s.VCPUs, s.Rate, s.Time)
	}
	return nil
}

// cpus of the machine, of which Dom0 has the first.
func (s ServiceSize) cpus() int {
	if s.VCPUs == 1 {
		return 2
	}
	return 1 + 2*s.VCPUs
}

func (s ServiceSize) order() tail.Order {
	return tail.Order{Rate: s.Rate, Settle: time.Second, Time: s.Time, Seed: 1}
}

// args are those of Dom0's program.
func (s ServiceSize) args(scheduler string) []string {
	return []string{self, Dom0ServiceArg, scheduler, fmt.Sprint(s.VCPUs), fmt.Sprint(s.Rate), s.Time.String()}
}

// ReadServiceSize reads args as args writes them.
func ReadServiceSize(args []string) (s ServiceSize, err error) {
	if len(args) != 3 {
		return s, fmt.Errorf("the size of the service's experiment has %d parts: want vCPUs, rate and time", len(args))
	}
	vcpus, first := strconv.Atoi(args[0])
	rate, second := strconv.Atoi(args[1])
	window, third := time.ParseDuration(args[2])
	s = ServiceSize{vcpus, rate, window}
	return s, errors.Join(first, second, third, s.Check())
}

// The reservation of its domain, for each of its vCPUs.
const (
	serviceBudget = 3 * time.Millisecond
	servicePeriod = 10 * time.Millisecond
)

const (
	memcachedPort = 11211
	runMemcached  = "exec memcached -u root -l " + domuAddress + " -U 0 -m 64 -t "
)

// Names of settings: without neighbours, and with a reservation.
const (
	alone    = "alone"
	reserved = "reserved"
)

// serviceSettings are those of its domain beside the two that spin on its CPUs.
var serviceSettings = map[string][]setting{
	schedVlib: {
		noCap,
		{reserved, func(_ context.Context, b *machine) error {
			return errors.Join(b.module.ReserveEach(paying, b.size.VCPUs, serviceBudget, servicePeriod), b.module.Adopt(measured, paying))
		}},
	},
	schedCredit2: settings[schedCredit2][:2],
}

// Service boots the distribution's Xen and the module's. It returns the records
// of memcached in a DomU, under open load from Dom0, beside two DomUs that spin on
// its CPUs. If only is not empty, it boots the machines of these schedulers.
func Service(ctx context.Context, o Options, size ServiceSize, only ...string) (records []bench.Record, err error) {
	images, err := o.images(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, images.remove()) }()
	for _, c := range machines {
		if serviceSettings[c.scheduler] == nil || len(only) > 0 && !slices.Contains(only, c.scheduler) {
			continue
		}
		s, machine, err := o.boot(ctx, images, lab.Config{
			Args: size.args(c.scheduler), Xen: c.xen, Scheduler: c.scheduler, DomUs: 3,
			PCPUs: size.cpus(), DomUVCPUs: size.VCPUs, DomUCPUs: fmt.Sprintf("1-%d", size.VCPUs),
			DomUPackages: []string{"memcached"},
		})
		if err != nil {
			return records, fmt.Errorf("Xen %s under %s: %w", c.xen, c.scheduler, err)
		}
		of, err := serviceRecords(c.scheduler, size, s, machine+", sched="+c.scheduler)
		if err != nil {
			return records, err
		}
		records = append(records, of...)
	}
	return records, nil
}
