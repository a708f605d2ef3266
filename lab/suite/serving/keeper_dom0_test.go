// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"runtime"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host/loop"
	"github.com/vlibos/vlibos/internal/clock"
)

// On the one CPU of this Dom0, the keeper's thread wakes in time while Go's collector
// scans its stack repeatedly. A SCHED_FIFO thread would be 1 to 2 s late.
func TestStockKeeperIsInTimeDuringCollections(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // the master's value
	var due, latest time.Duration
	wakes := 0
	l, err := loop.Start(func() time.Duration {
		now := clock.Monotonic()
		if due == 0 {
			loop.Deadline()
		} else if due <= now {
			latest = max(latest, now-due)
			wakes++
		}
		due = clock.Monotonic() + ms
		return due
	})
	if err != nil {
		t.Fatal(err)
	}
	collections := 0
	for end := clock.Monotonic() + 2*time.Second; clock.Monotonic() < end; collections++ {
		runtime.GC()
	}
	if _, err := l.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d wakes during %d collections, the latest %v late", wakes, collections, latest)
	if wakes < 300 || latest > 50*ms {
		t.Errorf("%d wakes, want 300 and more; the latest %v late, want 50 ms at most", wakes, latest)
	}
}
