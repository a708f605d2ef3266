// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// following is a configuration of two classes: Dom0 has eight of twelve ways, and the DomU, whose
// class follows calls or not, two others.
func following(follow bool) string {
	return fmt.Sprintf("[[cache]]\nname = \"caller\"\nl3 = \"67%%\"\ndomains = [\"Domain-0\"]\n"+
		"[[cache]]\nname = \"library\"\nl3 = \"17%%\"\ndomains = [\"vlib1\"]\nfollow_calls = %v\n", follow)
}

// By the key of a running daemon, a DomU fills Dom0's ways while it serves a call of a thread of
// Dom0 that has a reservation, and its own alone before and after. Xen's masks never change.
func TestDaemonsClassFollowsAThreadsCall(t *testing.T) {
	bus := openBus(t, shortTurn)
	module, xen := host.Module(t)
	info, err := xen.Monitoring(domUCPU)
	host.Must(t, err)
	d := serve(t, following(false))
	data := make([]byte, 6<<20)
	const way = 256 << 10
	call := []string{"vlibmaster", "call", "--timeout", "2m", "vlib1", "vlib", "run", "--",
		"sh", "-c", jumps()}
	reserved := append([]string{"vlibmaster", "run", "--budget", "8ms", "--period", "10ms", "--calls", "vlib1", "--"}, call...)
	filled := func(command []string, follows bool) float64 {
		t.Helper()
		for domid, mask := range map[uint16]uint64{dom0: 0x0ff, domU: 0x300} {
			expect(t, xen, domid, "before the call", map[xenctl.Allocation]uint64{xenctl.L3Mask: mask})
		}
		// Before its first paid call the module does not know it.
		if state, err := module.Domain(domU); (err == nil && state.Flags&vlib.Follows != 0) != follows {
			t.Errorf("the DomU is %v, %v; follows: want %v", state.Flags, err, follows)
		}
		var id uint32
		testkit.Eventually(t, "the daemon monitors the DomU", func() bool {
			id, err = xen.MonitorID(domU)
			return err == nil && id != 0
		})
		pass(t, bus, data) // replaces what the DomU has in other ways
		out := host.Run(t, command[0], command[1:]...)
		lines, err := xen.MonitorCount(domUCPU, id, xenctl.CacheOccupancy)
		host.Must(t, err)
		ways := float64(lines*info.Unit) / way
		t.Logf("follows %v, %s: %q, then it has %.1f ways", follows, command[1], out, ways)
		return ways
	}
	own := filled(reserved, false)
	d.reload(t, following(true), taken)
	callers, unpaid := filled(reserved, true), filled(call, true)
	d.reload(t, following(false), taken)
	again := filled(reserved, false)
	t.Logf("ways filled: %.1f and %.1f without the key; with it %.1f on a reservation and %.1f without one", own, again, callers, unpaid)
	// Dom0's programs end after the call, and replace lines in its ways.
	if max(own, again, unpaid) > 3 || callers < 4 {
		t.Error("the class does not follow the call, or does not return")
	}

	// The end takes the flag back, and after a kill the next start does.
	gone := func(when string, follows bool) {
		t.Helper()
		if state, err := module.Domain(domU); err != nil || state.Flags&vlib.Follows != 0 != follows {
			t.Errorf("%s: %v, %v", when, state.Flags, err)
		}
	}
	d.reload(t, following(true), taken)
	d.end(t, syscall.SIGTERM)
	gone("after the end", false)
	d = serve(t, following(true))
	d.end(t, syscall.SIGKILL)
	gone("after a kill", true)
	d = serve(t, "")
	gone("after the next start", false)
	d.end(t, syscall.SIGTERM)
	for _, domid := range []uint16{dom0, domU} {
		expect(t, xen, domid, "at the end", map[xenctl.Allocation]uint64{xenctl.L3Mask: 0xfff})
	}
}
