// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/clock"
)

// counted is how long a test of times takes where the clock counts instructions, so
// that times are checked and do not depend on what else runs; 0: it does not.
func counted(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("VLIBOS_COUNTED")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The keeper looks at a domain and at threads on time while Go's collector looks at
// its stack again and again, all on one CPU.
func TestLooksAreOnTimeDuringCollections(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		const budget, period, latest = 3 * ms, 20 * ms, 20 * ms
		exact := counted(t)
		duration := max(exact, 2*time.Second)
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
		if exact > 0 && late > latest {
			t.Errorf("a look was %v late, want %v at most", late, latest)
		}
		if used.Foreground == 0 || of.Foreground == 0 {
			t.Error("nothing was kept")
		}
	})
}

// The runtime may stop the keeper between any two steps. So a thread is known to the
// assistant before it is real-time.
func TestThreadIsKnownBeforeItIsRealTime(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		_, cmd := start(t, p, "d", "exec sleep 1000")
		dir := filepath.Join(p.layout.cpu.dir, "d")
		known := 0
		all, err := prioritise(dir, p.layout.cpu.version, 1, func(tid int) {
			if known++; policy(t, tid) == unix.SCHED_FIFO {
				t.Error("it was real-time already")
			}
		})
		if errors.Is(err, unix.EPERM) {
			t.Skip("the kernel shares real-time among cgroups")
		}
		if err != nil || known == 0 || known != len(all) || policy(t, cmd.Process.Pid) != unix.SCHED_FIFO {
			t.Errorf("%d of %v, %v", known, all, err)
		}
		if err := setPriority(dir, p.layout.cpu.version, 0); err != nil {
			t.Error(err)
		}
	})
}
