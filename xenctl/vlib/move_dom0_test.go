// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

// Dom0 survives requests while vCPUs change CPUs, domains are paused, and a CPU
// and a domain move to a pool of another scheduler and back.
func TestLabFuzzWhileMoved(t *testing.T) {
	b := openBench(t)
	seed := seedOf(t)
	t.Logf("seed %d", seed)
	pool := otherPool(t)
	var (
		end   = make(chan struct{})
		moved sync.WaitGroup
		away  atomic.Int64 // how often a domain was in the other pool
	)
	for w := range 2 {
		moved.Go(func() {
			name := fmt.Sprintf("vlib%d", w+1)
			for {
				select {
				case <-end:
					return
				default:
					b.shake(t, name)
					if w == 0 && b.move(t, name, pool, func() {}) {
						away.Add(1)
					}
				}
			}
		})
	}
	b.fuzz(t, seed, fuzzCalls(t)/2)
	close(end)
	moved.Wait()
	if t.Logf("in the other pool %d times", away.Load()); away.Load() == 0 {
		t.Error("no domain has ever been in another pool")
	}
	b.tidy(t)
	b.asBefore(t)
	b.alive(t)
}

// The memory of a domain's stay in another pool is not written to after the
// pool is destroyed. An allocation meanwhile would show it.
func TestLabDestroyedPoolIsNotWrittenTo(t *testing.T) {
	b := openBench(t)
	pool := otherPool(t)
	const reservations = 400
	other := uint16(b.domids[2])
	testkit.Eventually(t, "vlib1 is in the other pool", func() bool {
		return b.move(t, "vlib1", pool, func() {
			for id := uint32(1); id <= reservations; id++ {
				must(t, b.m.Reserve(id, MinBudget, MaxPeriod), b.m.Allow(other, id))
			}
		})
	})
	for id := uint32(1); id <= reservations; id++ {
		must(t, b.m.Reserve(id, 2*MinBudget, MaxPeriod)) // finds where the callee is
	}
	b.tidy(t)
	b.asBefore(t)
}

// otherPool is the configuration of a pool for CPU 1.
func otherPool(t *testing.T) string {
	t.Helper()
	pool := t.TempDir() + "/pool"
	if err := os.WriteFile(pool, []byte("name = \"other\"\nsched = \"credit2\"\ncpus = [\"1\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return pool
}

// try runs xl, which may refuse.
func try(args ...string) bool { return exec.Command("xl", args...).Run() == nil }

// shake moves a domain's vCPUs, and one of Dom0's, to and fro, and pauses it.
func (b *bench) shake(t *testing.T, name string) {
	for _, cpu := range []string{"0", "1", "all"} {
		try("vcpu-pin", name, "all", cpu)
		try("vcpu-pin", "Domain-0", "1", cpu)
	}
	try("pause", name)
	time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	xl(t, "unpause", name)
}

// move moves a domain and a CPU to another pool and back. It reports whether
// the domain was moved: this fails while a vCPU is pinned to the CPU. It calls
// back when the domain is back and its CPU is not.
func (b *bench) move(t *testing.T, name, pool string, back func()) bool {
	testkit.Eventually(t, "a CPU leaves the pool", func() bool { return try("cpupool-cpu-remove", "Pool-0", "1") })
	there := false
	if try("cpupool-create", pool) {
		if there = migrate(t, name, "other"); there {
			time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
			testkit.Eventually(t, name+" comes back", func() bool { return migrate(t, name, "Pool-0") })
			back()
		}
		testkit.Eventually(t, "the other pool is destroyed", func() bool { return try("cpupool-destroy", "other") })
	}
	testkit.Eventually(t, "the CPU comes back", func() bool { return try("cpupool-cpu-add", "Pool-0", "1") })
	return there
}

// migrate pauses the domain first. Xen 4.17 does so itself. But a CPU that one
// of its vCPUs has just left (unit_context_saved) may find the scheduler of the
// new pool and the vCPU of the old one (sched_move_domain), and panic. The
// window is a few instructions long, unless the host delays the emulated CPU in
// it.
func migrate(t *testing.T, name, pool string) bool {
	t.Helper()
	xl(t, "pause", name)
	defer xl(t, "unpause", name)
	time.Sleep(10 * time.Millisecond)
	return try("cpupool-migrate", name, pool)
}
