// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/control"
	"github.com/vlibos/vlibos/dom0/gateway"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/memory/caching"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/dom0/metrics"
	"github.com/vlibos/vlibos/internal/httplimit"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// exporter serves the master's metrics to Prometheus: on the control socket, and by
// TCP if the configuration names an address.
type exporter struct {
	handler http.Handler
	log     *slog.Logger
	served  sync.WaitGroup

	address string // empty: none
	server  *http.Server
}

func newExporter(m *master.Master, s *receipt.Shelf, g *gateway.Gateway, t *throttling.Manager, c *caching.Manager, r *metrics.Reloads, log *slog.Logger) *exporter {
	v := version()
	build := metrics.Build{Version: v.Version, Commit: v.Commit, Go: v.Go}
	return &exporter{handler: metrics.Handler(metrics.Source{Master: m, Calls: s, Gateway: g, Throttle: t, Caches: c}, build, log, r), log: log}
}

func (e *exporter) extra() control.Extra {
	return control.Extra{Pattern: "GET " + metrics.Path, Handler: e.handler}
}

// move listens on another address and calls also. An error of either leaves everything
// as it was.
func (e *exporter) move(address string, also func() error) error {
	if address == e.address {
		return also()
	}
	var l net.Listener
	if address != "" {
		var err error
		if l, err = net.Listen("tcp", address); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	if err := also(); err != nil {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
		return err
	}
	e.Close()
	if e.address = address; l != nil {
		e.start(l)
	}
	return nil
}

// Any machine that reaches the address may connect: askTime limits a client's request,
// scrapeTime its reading, and mostScrapers the number of connections.
const (
	askTime      = 5 * time.Second
	scrapeTime   = 30 * time.Second
	mostScrapers = 64
)

func (e *exporter) start(l net.Listener) {
	mux := http.NewServeMux()
	mux.Handle(e.extra().Pattern, e.handler)
	mux.HandleFunc(metrics.IndexPattern, metrics.Index)
	s := &http.Server{
		Handler: mux, ReadTimeout: askTime, WriteTimeout: scrapeTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(e.log.Handler(), slog.LevelDebug), // clients are not known
	}
	httplimit.Connections(s, mostScrapers)
	e.server = s
	e.log.Info("metrics", "address", "http://"+l.Addr().String()+metrics.Path)
	e.served.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			e.log.Error("metrics are no longer served by TCP", "error", err)
		}
	})
}

// Close ends serving by TCP.
func (e *exporter) Close() {
	if e.server == nil {
		return
	}
	last, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if e.server.Shutdown(last) != nil {
		e.server.Close() // clients that still read have had a second
	}
	e.server = nil
	e.served.Wait()
}
