// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// takeDeadlines has threads that sleep take all the time that the kernel gives to
// threads with deadlines.
func takeDeadlines(t *testing.T) {
	t.Helper()
	stop, taken, ended := make(chan bool), make(chan error), make(chan bool)
	all := 0
	for err := error(nil); err == nil; all++ {
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			attr := unix.SchedAttr{
				Size: unix.SizeofSchedAttr, Policy: unix.SCHED_DEADLINE, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
				Runtime: 900_000, Deadline: 2_000_000, Period: 2_000_000,
			}
			taken <- unix.SchedSetAttr(0, &attr, 0)
			<-stop
			ended <- true
		}()
		if err = <-taken; err != nil && err != unix.EBUSY {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		close(stop)
		for range all {
			<-ended
		}
	})
}

// On the one CPU of this Dom0, the keeper looks in time while Go's collector scans
// its stack repeatedly. Without a deadline it is later, but not as late as a
// SCHED_FIFO thread alone, which would be 1 to 2 s late.
func TestStockKeeperIsInTimeDuringCollections(t *testing.T) { inTime(t, 2*time.Second) }

// The same for half a minute, which takes minutes where time is counted.
func TestStockKeeperStaysInTimeDuringCollections(t *testing.T) { inTime(t, 30*time.Second) }

func inTime(t *testing.T, counted time.Duration) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // the master's value
	for _, refused := range []bool{false, true} {
		t.Run(fmt.Sprintf("without a deadline %v", refused), func(t *testing.T) {
			if refused {
				takeDeadlines(t)
			}
			k, r := keeper.New(keeper.Options{Guard: []string{"true"}}), new(restless)
			if err := k.Start(); err != nil {
				t.Fatal(err)
			}
			var policy uint32
			if err := k.Do(t.Context(), func() {
				err := k.Realtime()
				if err == nil {
					err = k.Add(1, r, r)
				}
				attr, failed := unix.SchedGetAttr(0, 0)
				if err := errors.Join(err, failed); err != nil {
					t.Error(err)
					return
				}
				policy = attr.Policy
			}); err != nil {
				t.Fatal(err)
			}
			if want := map[bool]uint32{false: unix.SCHED_DEADLINE, true: unix.SCHED_FIFO}[refused]; policy != want {
				t.Errorf("the keeper has policy %d, want %d", policy, want)
			}
			latest := 20 * ms
			if refused {
				latest = 300 * ms
			}
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
		})
	}
}
