// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
)

// A caller whose vCPU waits has the answer without a sleep in Linux. While the
// callee takes longer than a tick, other threads of Dom0 run.
func TestBlockedCPUSparesASleepAndKeepsNothingFromRunning(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 8*ms, 10*ms)
	h.listens(1)
	h.must(h.Allow(1, 1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	sleeps := func(wait vlibcall.WaitPolicy) int64 {
		c := h.open(1, vlibcall.Options{Timeout: 5 * time.Second, Reservation: 1, Wait: wait})
		for range 20 {
			h.echo(c)
		}
		const calls = 100
		before := h.account(1).Calls
		var from, to unix.Rusage
		h.must(unix.Getrusage(unix.RUSAGE_THREAD, &from))
		for range calls {
			h.echo(c)
		}
		h.must(unix.Getrusage(unix.RUSAGE_THREAD, &to))
		if n := h.account(1).Calls - before; n != calls {
			h.Errorf("%v: %d calls are counted, of %d", wait, n, calls)
		}
		h.Logf("%v: %d sleeps in %d calls", wait, to.Nvcsw-from.Nvcsw, calls)
		return to.Nvcsw - from.Nvcsw
	}
	if block, blockCPU := sleeps(vlibcall.Block), sleeps(vlibcall.BlockCPU); block < 50 || blockCPU > 20 {
		h.Errorf("100 calls that block slept %d times, those that block the vCPU %d times", block, blockCPU)
	}
	c := h.open(1, vlibcall.Options{Timeout: 5 * time.Second, Reservation: 1, Wait: vlibcall.BlockCPU})
	done := make(chan int)
	stop := make(chan struct{})
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				done <- n
				return
			case <-time.After(5 * ms):
				n++
			}
		}
	}()
	h.must(h.run(h.Context(), c, "sleep 0.3"))
	close(stop)
	if n := <-done; n < 20 {
		h.Errorf("another thread ran %d times in 300 ms, every 5 ms wanted", n)
	}
	h.echo(c)
}
