// SPDX-License-Identifier: Apache-2.0

package native

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/clock"
)

// counted reports whether this machine's clock counts instructions: then times
// are checked, and do not depend on what else runs.
func counted() bool { return os.Getenv("VLIBOS_COUNTED") != "" }

// The keeper looks at a domain and at threads on time while Go's collector looks at
// its stack again and again, all on one CPU.
func TestLooksAreOnTimeDuringCollections(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		const budget, period, latest = 3 * ms, 20 * ms, 20 * ms
		duration := 2 * time.Second
		if timed() || counted() {
			duration = 30 * time.Second
		}
		cpu := lastCPU(t, p)
		d, _ := start(t, p, "d", spin)
		pin(t, p, d, cpu)
		adopt(t, p, d, 1, budget, period)
		reserve(t, p, 2, spinner(t, cpu), budget, period)
		var one, all unix.CPUSet
		one.Set(cpu)
		all.Fill()
		runtime.LockOSThread() // the collections' first thread
		defer runtime.UnlockOSThread()
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		defer unix.SchedSetaffinity(0, &all)
		collections := 0
		for end := clock.Monotonic() + duration; clock.Monotonic() < end; collections++ {
			runtime.GC()
			if collections%20 == 0 {
				if err := p.Renew(time.Minute); err != nil {
					t.Fatal(err)
				}
			}
		}
		var late time.Duration
		if err := p.k.Do(ctx, func() { late = p.k.Lateness() }); err != nil {
			t.Fatal(err)
		}
		used, of := usage(t, p, d, 1), reserved(t, p, 2)
		t.Logf("%d collections, looks at most %v late; in foreground the domain %v, the threads %v", collections, late, used.Foreground, of.Foreground)
		if counted() && late > latest {
			t.Errorf("a look was %v late, want %v at most", late, latest)
		}
		if used.Foreground == 0 || of.Foreground == 0 {
			t.Error("nothing was kept")
		}
	})
}
