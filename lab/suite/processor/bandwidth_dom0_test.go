// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"strings"
	"syscall"
	"testing"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/xenctl"
)

// Where delays are powers of two, Xen takes them and rounds others down. They are no percentages:
// the daemon shares no bandwidth out, and leaves what another program has set.
func TestDelaysOfPowersOfTwoAreNoPercentages(t *testing.T) {
	xen := host.Xen(t)
	b, err := xen.BandwidthInfo(0)
	if want := (xenctl.BandwidthInfo{Most: 512, Classes: 14}); err != nil || b != want {
		t.Errorf("%+v, %v, want %+v", b, err, want)
	}
	for given, has := range map[uint64]uint64{0x3f: 0x20, 512: 512, 600: 512, 1: 1} {
		host.Must(t, xen.SetAllocation(domU, 0, xenctl.Throttle, given))
		expect(t, xen, domU, "a delay", map[xenctl.Allocation]uint64{xenctl.Throttle: has})
	}
	if err := xen.SetAllocation(domU, 0, xenctl.Throttle, 1024); err == nil {
		t.Error("a delay above the greatest was taken")
	}
	host.Must(t, xen.SetAllocation(domU, 0, xenctl.Throttle, 0x20))
	out := host.Run(t, "xl", "psr-hwinfo", "--mba") + host.Run(t, "xl", "psr-mba-show", "vlib1")
	t.Logf("\n%s", out)
	for _, words := range []string{"Disabled", "512", "0x20"} {
		if !strings.Contains(out, words) {
			t.Errorf("xl does not say %q", words)
		}
	}

	d := serve(t, table("vlib1", `l3 = "50%"`))
	set := map[xenctl.Allocation]uint64{xenctl.L3Mask: 0x3f, xenctl.Throttle: 0x20}
	expect(t, xen, domU, "50 % of the cache", set)
	d.reload(t, table("vlib1", `mba = "50%"`), refused)
	if !strings.Contains(d.Log.String(), "mba: this processor does not support it") {
		t.Error("the log does not say why")
	}
	expect(t, xen, domU, "a refused class", set)
	doctor := host.Run(t, "vlibmaster", "doctor")
	t.Logf("\n%s", doctor)
	if !strings.Contains(doctor, "memory bandwidth: none") {
		t.Error("doctor does not say that no bandwidth is shared out")
	}
	d.end(t, syscall.SIGTERM)
	expect(t, xen, domU, "after the end", map[xenctl.Allocation]uint64{xenctl.L3Mask: 0xfff, xenctl.Throttle: 0x20})
	host.Must(t, xen.SetAllocation(domU, 0, xenctl.Throttle, 0))
}
