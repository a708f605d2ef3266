// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// These tests run in the lab's Dom0 on a Xen with the module, beside two DomUs
// in which this program is the server. The last one destroys vlib2.

// callTimeout allows for an emulated machine whose CPUs were just taken away.
const callTimeout = 2 * time.Minute

// fuzzCalls is the number of hypercalls.
func fuzzCalls(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("VLIBOS_FUZZ")
	if text == "" {
		return 20_000
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("VLIBOS_FUZZ: %v", err)
	}
	return n
}

// seedOf is VLIBOS_SEED, or else constant: a test before a merge should fail
// because of the change.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("VLIBOS_SEED")
	if text == "" {
		return 1
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("VLIBOS_SEED: %v", err)
	}
	return seed
}

// bench is the environment of a test.
type bench struct {
	m       *Module
	store   *xenstore.Client
	domids  []uint32
	ports   map[uint32]uint32
	invalid []uint64
}

func openModule(t *testing.T) *Module {
	t.Helper()
	h, err := xenctl.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := Open(h)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func openBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{m: openModule(t), domids: []uint32{0}, ports: make(map[uint32]uint32)}
	var err error
	if b.invalid, err = badAddresses(); err != nil {
		t.Fatal(err)
	}
	if b.store, err = xenstore.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.store.Close() })
	events, err := evtchn.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { events.Close() })
	for _, name := range []string{"vlib1", "vlib2"} {
		domid := domid(t, name)
		remote, err := strconv.ParseUint(b.read(t, domid, "port"), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		port, err := events.BindInterdomain(uint16(domid), evtchn.Port(remote))
		if err != nil {
			t.Fatal(err)
		}
		b.domids = append(b.domids, domid)
		b.ports[domid] = uint32(port)
	}
	t.Cleanup(func() { b.tidy(t) })
	return b
}

func domid(t *testing.T, name string) uint32 {
	t.Helper()
	id, err := strconv.ParseUint(strings.TrimSpace(xl(t, "domid", name)), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(id)
}

// xl must answer soon.
func xl(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "xl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("xl %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (b *bench) node(domid uint32, name string) string {
	return fmt.Sprintf("/local/domain/%d/data/vlib/%s", domid, name)
}

func (b *bench) read(t *testing.T, domid uint32, name string) string {
	t.Helper()
	text, err := b.store.Read(context.Background(), b.node(domid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// make makes the hypercall.
func (r request) make(m *Module) (uint64, error) {
	if r.mem != nil {
		return m.h.HypercallMemory(hypercall, [5]uint64{r.cmd, r.a1, r.a2}, 3, r.mem)
	}
	return m.values(r.cmd, r.a1, r.a2, r.a3, r.a4)
}

// fuzz makes requests from several threads, and counts their results.
func (b *bench) fuzz(t *testing.T, seed, calls uint64) {
	t.Helper()
	const workers = 3
	var (
		done, well [256]atomic.Uint64
		all        sync.WaitGroup
		pulse      = startPulse()
	)
	for w := range uint64(workers) {
		g := newGenerator(seed+w, b.domids, b.ports, b.invalid)
		all.Go(func() {
			for range calls / workers {
				r := g.next()
				result, err := r.make(b.m)
				done[r.cmd&255].Add(1)
				if err == nil {
					well[r.cmd&255].Add(1)
				}
				if wrong := judge(r.cmd, result, err); wrong != nil {
					t.Errorf("%v: %v", r, wrong)
					return
				}
				if err == nil && r.mem != nil {
					if wrong := consistent(r.cmd, r.mem); wrong != nil {
						t.Errorf("%v", wrong)
						return
					}
				}
			}
		})
	}
	all.Wait()
	start := time.Now()
	for cmd, op := range operations {
		if n := well[cmd].Load(); n == 0 && cmd != opListen && cmd != opComplete && calls >= 10_000 {
			t.Errorf("%s never succeeded in %d attempts: it was not tested", op.name, done[cmd].Load())
		} else {
			t.Logf("%-16s %8d calls, %8d succeeded", op.name, done[cmd].Load(), n)
		}
	}
	longest := pulse.stop()
	t.Logf("longest pause of a thread of Dom0 that sleeps 1 ms: %v (an emulator's clock is not a measure of time; %v of it logging)", longest, time.Since(start))
	if longest > callTimeout {
		t.Errorf("a thread of Dom0 did not run for %v", longest)
	}
}

// pulse finds the longest time during which Dom0 did not run a thread.
type pulse struct {
	end     chan struct{}
	longest chan time.Duration
}

func startPulse() pulse {
	p := pulse{make(chan struct{}), make(chan time.Duration)}
	go func() {
		var longest time.Duration
		for last := time.Now(); ; {
			time.Sleep(time.Millisecond)
			now := time.Now()
			longest, last = max(longest, now.Sub(last)), now
			select {
			case <-p.end:
				p.longest <- longest
				return
			default:
			}
		}
	}()
	return p
}

func (p pulse) stop() time.Duration {
	close(p.end)
	return <-p.longest
}
