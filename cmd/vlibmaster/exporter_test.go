// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/vlibos/vlibos/dom0/metrics"
	"github.com/vlibos/vlibos/internal/testkit"
)

// Connections that ask for nothing keep no scrape out, and take no more of the
// daemon's descriptors than those that do.
func TestIdleConnectionsToTheMetricsAreBounded(t *testing.T) {
	e := &exporter{log: slog.New(slog.DiscardHandler), handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.start(l)
	defer e.Close()
	before := len(testkit.Descriptors())
	const idle = 10 * mostScrapers
	for range idle {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := scrape("http://" + l.Addr().String() + metrics.Path); err != nil {
		t.Error(err)
	}
	testkit.Eventually(t, "most idle connections are closed", func() bool { return len(testkit.Descriptors())-before-idle <= mostScrapers })
}
