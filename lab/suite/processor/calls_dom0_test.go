// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// caller calls the DomU, which the processor monitors, on a reservation.
type caller struct {
	*vlibcall.Channel
	bus    *model.Bus
	xen    *xenctl.Handle
	module *vlib.Module
}

// ways restricts a domain to ways of the cache, each of 256 KiB, until the test ends.
func (c *caller) ways(t *testing.T, domid uint16, mask uint64) {
	t.Helper()
	set := func(mask uint64) {
		host.Must(t, c.xen.SetAllocation(domid, 0, xenctl.L3Mask, mask))
		c.xen.Reload(domid)
	}
	set(mask)
	t.Cleanup(func() { set(0xfff) })
}

// newCaller gives the DomU and Dom0 their ways first: what the DomU has in others then is of no
// ID.
func newCaller(t *testing.T, mask, dom0s uint64) *caller {
	t.Helper()
	c := &caller{bus: openBus(t, shortTurn)}
	c.module, c.xen = host.Module(t)
	c.ways(t, domU, mask)
	c.ways(t, dom0, dom0s)
	host.Must(t, c.xen.Monitor(domU))
	host.Must(t, c.module.Reserve(1, 8*time.Millisecond, 10*time.Millisecond))
	host.Must(t, c.module.SetDomain(domU, vlib.Listens, 0))
	host.Must(t, c.module.Allow(domU, 1))
	t.Cleanup(func() {
		host.Must(t, c.module.SetDomain(domU, 0, vlib.Listens))
		host.Must(t, c.module.Unreserve(1))
		host.Must(t, c.xen.Unmonitor(domU))
	})
	c.Channel = host.Open(t, domU, vlibcall.Options{Timeout: 2 * time.Minute, Reservation: 1})
	return c
}

// jumps is a shell's command that writes to 6 MiB for some CPU time.
func jumps() string {
	budget := fmt.Sprint(int64(300 * time.Millisecond))
	return strings.Join([]string{program, "task", "0", budget, budget, "1", "</dev/null"}, " ")
}

// jump writes to 6 MiB by one call, for some CPU time, and returns how many writes there were.
func (c *caller) jump(t *testing.T) (writes uint64, cost transport.Cost) {
	t.Helper()
	before := requests(t, c.bus, domUCPU)
	out, r, err := c.CallReceipt(t.Context(), builtin.Library, builtin.Run, host.Shell(t, jumps()), nil)
	turns := requests(t, c.bus, domUCPU) - before
	host.Must(t, err)
	var o builtin.Outcome
	host.Must(t, o.Decode(out))
	var used int64
	if _, err := fmt.Sscanf(string(o.Stdout), "ready\nwarm\n%d %d", &writes, &used); err != nil || r.Cost == nil {
		t.Fatalf("%q, %q: %v, %+v", o.Stdout, o.Stderr, err, r)
	}
	cost = *r.Cost
	t.Logf("%d writes, %d turns on the bus: occupied %d KiB (%v), moved %d lines (%v)",
		writes, turns, cost.Occupied>>10, cost.OccupiedKnown, cost.Moved/line, cost.MovedKnown)
	if !cost.OccupiedKnown || !cost.MovedKnown {
		t.Fatal("the receipt does not say what the call used")
	}
	if off := math.Abs(float64(cost.Moved)/float64(turns*line) - 1); off > 0.1 {
		t.Errorf("what it moved is off by %.1f %%", 100*off)
	}
	return writes, cost
}

// A call that writes to 6 MiB, in a domain that may fill eight ways, which no other fills, has
// filled them at its end and has moved a line for each write.
func TestReceiptHasWhatTheCallUsed(t *testing.T) {
	c := newCaller(t, 0xff0, 0x00f)
	const footprint = 2 << 20
	writes, cost := c.jump(t)
	if off := math.Abs(float64(cost.Occupied)/footprint - 1); off > 0.05 {
		t.Errorf("occupied is off by %.1f %%", 100*off)
	}
	if cost.Moved < writes*line {
		t.Errorf("%d writes to other lines each moved only %d bytes", writes, cost.Moved)
	}
	// The command shows the same.
	out := host.Run(t, "vlibmaster", "call", "vlib1", "vlib", "echo", "x", "--reservation", "1", "--receipt", "--json")
	if strings.Contains(out, `"occupied_bytes":null`) || !strings.Contains(out, `"occupied_bytes":`) || strings.Contains(out, `"moved_bytes":null`) {
		t.Errorf("the command says %s", out)
	}
	// Without an ID nothing is known.
	host.Must(t, c.xen.Unmonitor(domU))
	_, r, err := c.CallReceipt(t.Context(), builtin.Library, builtin.Echo, nil, nil)
	if err != nil || r.Cost == nil || r.Cost.OccupiedKnown || r.Cost.MovedKnown {
		t.Errorf("without a monitoring ID: %+v, %v", r.Cost, err)
	}
}

// A call's domain fills its own two ways, and the eight of its caller where its class follows.
func TestCacheClassFollowsTheCall(t *testing.T) {
	c := newCaller(t, 0x003, 0xff0)
	const way = 256 << 10
	data := make([]byte, 6<<20)
	filled := func(set, clear vlib.DomainFlags) float64 {
		host.Must(t, c.module.SetDomain(domU, set, clear))
		pass(t, c.bus, data) // replaces what the DomU has in other ways
		_, cost := c.jump(t)
		return float64(cost.Occupied) / way
	}
	own, callers, again := filled(0, vlib.Follows), filled(vlib.Follows, 0), filled(0, vlib.Follows)
	t.Logf("ways filled: %.1f and %.1f in its own class, %.1f in its caller's", own, again, callers)
	if max(own, again) > 3 || callers < 6 {
		t.Error("the class does not follow the call")
	}
}
