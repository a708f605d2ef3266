// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/metrics"
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
	before := descriptors(t)
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
	for end := time.Now().Add(soon); ; time.Sleep(time.Millisecond) {
		n := descriptors(t) - before - idle
		if n <= mostScrapers {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d descriptors for %d idle connections", n, idle)
		}
	}
}

func descriptors(t *testing.T) int {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}
