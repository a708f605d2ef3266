// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/internal/printable"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// Source is the source of the figures.
type Source struct {
	Master interface {
		Host() string
		List(context.Context) ([]api.Status, error)
		Domains(context.Context) ([]api.Domain, error)
		Health() master.Health
		Identify(ctx context.Context, refs []string) (map[string]host.Domain, error)
	}
	Gateway interface {
		List() []api.Target
		Watched() []api.Watched
	}
	Throttle interface {
		Status() *api.Throttle // nil: no throttle runs
	}
	Caches interface {
		Use(context.Context) map[string]host.CacheUse // by the domain's ID
	}
	Calls interface {
		Read() ([]receipt.Account, receipt.Health, error)
	}
}

// Build identifies the program.
type Build struct{ Version, Commit, Go string }

// collector reads its source for each scrape.
type collector struct {
	Source
	Build
	called called
}

// New returns the collector of all metrics whose names begin with vlibos_.
func New(s Source, b Build) prometheus.Collector { return &collector{Source: s, Build: b} }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("vlibos_"+name, help, labels, nil)
}

var (
	buildInfo = describe("build_info", "Always 1; the labels have vlibmaster's version and its host.", "version", "commit", "go_version", "host")

	collected = describe("collection_success", "Whether the source of this part could be read: reservations, domains, calls, or gateway.", "part")

	leaseLost    = describe("lease_lost_total", "How often the master was late to renew its lease, and gates and throttles had opened.")
	reviewErrors = describe("review_errors_total", "Reviews of the domains, two a second, that failed.")
)

var masterDescs = []*prometheus.Desc{buildInfo, collected, leaseLost, reviewErrors}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, all := range [][]*prometheus.Desc{masterDescs, reservationDescs, domainDescs, callDescs, gatewayDescs, throttleDescs} {
		for _, d := range all {
			to <- d
		}
	}
}

// Collect implements prometheus.Collector. A part that cannot be read is
// missing, and only that part.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	gauge(to, buildInfo, 1, c.Version, c.Commit, c.Go, c.Master.Host())
	h := c.Master.Health()
	counter(to, leaseLost, float64(h.LeaseLost))
	counter(to, reviewErrors, float64(h.ReviewErrors))

	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	all, err := c.Master.List(ctx)
	gauge(to, collected, truth(err == nil), "reservations")
	collectReservations(to, all)
	domains, err := c.Master.Domains(ctx)
	gauge(to, collected, truth(err == nil), "domains")
	use := c.Caches.Use(ctx)
	for i, d := range domains {
		if u, ok := use[d.ID]; ok {
			domains[i].Cache = &u
		}
	}
	collectDomains(to, domains)

	accounts, health, err := c.Calls.Read()
	gauge(to, collected, truth(err == nil), "calls")
	collectCalls(to, accounts, health)
	gauge(to, collected, truth(c.collectGateway(ctx, to) == nil), "gateway")
	collectThrottle(to, c.Throttle.Status())
}

func gauge(to chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, clean(labels)...)
}

func counter(to chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, clean(labels)...)
}

// clean makes labels printable: guests choose their names, and one label that is
// not UTF-8 would fail the whole scrape.
func clean(labels []string) []string {
	for i, l := range labels {
		labels[i] = printable.Line(l)
	}
	return labels
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
