// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
)

// streamer has the DomU write to all lines of 6 MiB, without end.
func streamer(t *testing.T, bus *model.Bus) {
	t.Helper()
	theirs := func() (uint64, error) { return requests(t, bus, domUCPU), nil }
	stop, err := domu.Background(t.Context(), domU, vlibcall.Options{Wait: vlibcall.Block}, theirs, 1000, program, mjump.Batch)
	host.Must(t, err)
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// openBus sets the length of a turn. What hits and what misses does not depend on it, and with
// short turns the same accesses take a hundredth of the time.
func openBus(t *testing.T, turn time.Duration) *model.Bus {
	t.Helper()
	bus, err := model.Open()
	host.Must(t, err)
	was := bus.Service()
	host.Must(t, bus.SetService(turn))
	t.Cleanup(func() { host.Must(t, errors.Join(bus.SetService(was), bus.Close())) })
	return bus
}

// shortTurn is for tests that count, longTurn for those that compare speeds.
const shortTurn, longTurn = 100 * time.Nanosecond, 200 * time.Microsecond

// A delay of bandwidth slows the domain that has it. Another does not come to the bus less
// often for it: it has the turns that the first leaves.
func TestBandwidthSlowsTheDomainThatHasIt(t *testing.T) {
	bus, xen := openBus(t, shortTurn), host.Xen(t)
	streamer(t, bus)
	host.Must(t, bus.SetService(longTurn)) // programs start slowly with long turns
	defer func() { host.Must(t, bus.SetService(shortTurn)) }()
	second := func(domid uint16, throttle uint64) float64 {
		set := func(v uint64) {
			host.Must(t, xen.SetAllocation(domid, 0, xenctl.Throttle, v))
			xen.Reload(domid)
		}
		set(throttle)
		defer set(0)
		const span = 500 * time.Millisecond
		time.Sleep(100 * time.Millisecond) // Xen sets the class when it next runs the domain
		before, used, begin := requests(t, bus, domUCPU), host.CPUTime(t, xen, domU), time.Now()
		for time.Since(begin) < span {
			time.Sleep(10 * time.Millisecond)
		}
		ran := host.CPUTime(t, xen, domU) - used
		return float64(requests(t, bus, domUCPU)-before) / ran.Seconds()
	}
	free, slow, others, again := second(domU, 0), second(domU, 90), second(0, 90), second(domU, 0)
	t.Logf("requests a second of its CPU time: %.0f and %.0f free, %.0f with 90 %% taken away, %.0f with 90 %% of Dom0's taken away", free, again, slow, others)
	if slow > 0.25*(free+again)/2 || others < 0.5*(free+again)/2 {
		t.Error("the delay is not the domain's that has it")
	}
}

// The DomU may fill eight ways of twelve, each of 256 KiB, and has lines for far more; Dom0
// fills none of these.
func TestOccupancyIsTheFootprint(t *testing.T) {
	bus, xen := openBus(t, shortTurn), host.Xen(t)
	info, err := xen.Monitoring(0)
	host.Must(t, err)
	const mask, footprint = 0xff0, 2 << 20
	streamer(t, bus)
	setMask(t, xen, dom0, 0xfff&^mask)
	setMask(t, xen, domU, mask)
	t.Cleanup(func() { setMask(t, xen, dom0, 0xfff); setMask(t, xen, domU, 0xfff) })
	host.Must(t, xen.Monitor(domU)) // what it has in other ways is no ID's
	t.Cleanup(func() { host.Must(t, xen.Unmonitor(domU)) })
	id, err := xen.MonitorID(domU)
	host.Must(t, err)
	read := func(e xenctl.MonitorEvent) uint64 {
		v, err := xen.MonitorCount(domUCPU, id, e)
		host.Must(t, err)
		return v * info.Unit
	}
	from, moved := requests(t, bus, domUCPU), read(xenctl.MemoryTotal)
	const enough = 3 * footprint / line
	for requests(t, bus, domUCPU)-from < enough {
		time.Sleep(10 * time.Millisecond)
	}
	moved = read(xenctl.MemoryTotal) - moved
	turns := (requests(t, bus, domUCPU) - from) * line
	occupied := read(xenctl.CacheOccupancy)
	t.Logf("ID %d of %d, unit %d: %d bytes in the cache, footprint %d; %d bytes moved, %d over the bus", id, info.IDs, info.Unit, occupied, footprint, moved, turns)
	if off := math.Abs(float64(occupied)/footprint - 1); off > 0.05 {
		t.Errorf("occupancy is off by %.1f %%", 100*off)
	}
	if off := math.Abs(float64(moved)/float64(turns) - 1); off > 0.1 {
		t.Errorf("bandwidth is off by %.1f %%", 100*off)
	}
	text := host.Run(t, "xl", "psr-cmt-show", "cache-occupancy", "vlib1")
	t.Logf("\n%s", text)
	if !strings.Contains(text, "2048 KB") && !strings.Contains(text, "1984 KB") {
		t.Error("xl shows another occupancy")
	}
}
