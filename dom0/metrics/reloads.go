// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reloads are the metrics of reading the configuration, named as Prometheus
// names its own. It is a prometheus.Collector, and safe for concurrent use.
type Reloads struct{ successful, at prometheus.Gauge }

// NewReloads makes the metrics before the first configuration.
func NewReloads() *Reloads {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "vlibos", Name: name, Help: help})
	}
	return &Reloads{
		successful: gauge("config_last_reload_successful", "Whether the configuration was taken when it was last read, at the start or at SIGHUP; 0: the one before holds."),
		at:         gauge("config_last_reload_success_timestamp_seconds", "When a configuration was last taken."),
	}
}

// Done records that a configuration was accepted, or the error.
func (r *Reloads) Done(err error) {
	if err != nil {
		r.successful.Set(0)
		return
	}
	r.successful.Set(1)
	r.at.Set(float64(time.Now().UnixMilli()) / 1e3)
}

// Describe implements prometheus.Collector.
func (r *Reloads) Describe(to chan<- *prometheus.Desc) {
	r.successful.Describe(to)
	r.at.Describe(to)
}

// Collect implements prometheus.Collector.
func (r *Reloads) Collect(to chan<- prometheus.Metric) {
	r.successful.Collect(to)
	r.at.Collect(to)
}
