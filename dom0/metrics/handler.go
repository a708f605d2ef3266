// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Path is the path of the metrics.
const Path = "/metrics"

// longest limits a scrape, and atOnce how many run concurrently: any process
// that reaches the address may scrape.
const (
	longest = 10 * time.Second
	atOnce  = 4
)

// Handler answers scrapes: with the master's metrics, those of its process (process_*)
// and of Go's runtime (go_*), and more.
func Handler(s Source, b Build, log *slog.Logger, more ...prometheus.Collector) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(more...)
	r.MustRegister(New(s, b), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: atOnce, Timeout: longest,
	})
}
