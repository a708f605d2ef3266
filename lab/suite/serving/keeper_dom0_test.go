// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"runtime"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/internal/clock"
)

// restless is looked at every millisecond. It implements [keeper.Subject] and
// [keeper.Account].
type restless struct{ looks int }

func (r *restless) Read() (keeper.Reading, error) {
	r.looks++
	return keeper.Reading{Now: clock.Monotonic()}, nil
}

func (r *restless) Charge(keeper.Reading) (keeper.State, error) {
	return keeper.State{Foreground: true, Left: ms}, nil
}
func (r *restless) Usage(time.Duration) host.Usage                  { return host.Usage{} }
func (r *restless) Apply(keeper.State, bool) (time.Duration, error) { return 0, nil }
func (r *restless) Restore() error                                  { return nil }
func (r *restless) Close(bool) error                                { return nil }

// On the one CPU of this Dom0 the keeper looks
// in time while Go's collector looks at its stack again and again. A SCHED_FIFO
// thread is 1 to 2 s late here.
func TestStockKeeperIsInTimeDuringCollections(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // as the master has it
	k, r := keeper.New(keeper.Options{Guard: []string{"true"}}), new(restless)
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	if err := k.Do(t.Context(), func() {
		if err := k.Realtime(); err != nil {
			t.Error(err)
		}
		if err := k.Add(1, r, r); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	const counted, latest = 30 * time.Second, 20 * ms
	collections := 0
	for end := clock.Monotonic() + counted; clock.Monotonic() < end; collections++ {
		runtime.GC()
	}
	if _, err := k.Close(false); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d looks during %d collections, the latest %v late", r.looks, collections, k.Lateness())
	if r.looks < int(counted/ms)/10 || k.Lateness() > latest {
		t.Errorf("%d looks; the latest %v late, want %v at most", r.looks, k.Lateness(), latest)
	}
}
