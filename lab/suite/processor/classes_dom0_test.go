// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"strconv"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/throttle/model"
	"github.com/vlibos/vlibos/xenctl"
)

// A victim whose data fit the cache, and a neighbour whose data do not, and which replaces all
// that it may between two passes over the victim's.
const (
	dom0CPU, domUCPU = 0, 1
	domU             = 1
	line, fits       = 64, 1 << 20 // bytes
	replaced         = 60000       // lines; the cache has 49,152
)

// requests are a CPU's on the bus so far.
func requests(t *testing.T, bus *model.Bus, cpu int) uint64 {
	t.Helper()
	c, err := bus.Read(cpu)
	if err != nil {
		t.Fatal(err)
	}
	return c.Requests
}

// pass goes over the victim's data, and returns the part of its lines for which it came to the
// bus.
func pass(t *testing.T, bus *model.Bus, data []byte) float64 {
	t.Helper()
	before := requests(t, bus, dom0CPU)
	for i := 0; i < len(data); i += line {
		data[i]++
	}
	return float64(requests(t, bus, dom0CPU)-before) / float64(len(data)/line)
}

// setMask gives Dom0 or the DomU ways, in force at once. Xen loads those of the vCPU that
// calls when it has run another domain on that CPU.
func setMask(t *testing.T, xen *xenctl.Handle, domid uint16, mask uint64) {
	t.Helper()
	host.Must(t, xen.SetAllocation(domid, 0, xenctl.L3Mask, mask))
	xen.Reload(domid)
	if domid == dom0 {
		for _, cpu := range []int{dom0CPU, domUCPU} {
			host.Run(t, "xl", "vcpu-pin", "vlib1", "0", strconv.Itoa(cpu))
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// Ways of their own keep a victim's lines in the cache. Its neighbour never had any use of it.
func TestApartMasksKeepLinesInTheCache(t *testing.T) {
	bus, xen := openBus(t, shortTurn), host.Xen(t)
	info, err := xen.L3Info(0)
	if err != nil || info.Bits != 12 || info.Classes != 14 {
		t.Fatalf("the cache is shared out in %+v, %v", info, err)
	}
	data := make([]byte, fits)
	pass(t, bus, data) // fills it
	alone := pass(t, bus, data)
	streamer(t, bus)
	with := func(own, guest uint64) (missed float64) {
		setMask(t, xen, dom0, own)
		setMask(t, xen, domU, guest)
		const rounds = 2
		for round := range rounds + 1 {
			for from := requests(t, bus, domUCPU); requests(t, bus, domUCPU)-from < replaced; {
				time.Sleep(10 * time.Millisecond)
			}
			m := pass(t, bus, data)
			if round > 0 { // the first one fills the ways that are allowed now
				missed += m / rounds
			}
		}
		return missed
	}
	beside, apart, again := with(0xfff, 0xfff), with(0xff0, 0x00f), with(0xfff, 0xfff)
	t.Logf("lines fetched by the bus: alone %.3f, beside another %.3f and %.3f, with ways apart %.3f", alone, beside, again, apart)
	crowded := (beside + again) / 2
	if back := (crowded - apart) / (crowded - alone); crowded < alone+0.2 || back < 0.9 {
		t.Errorf("apart masks give %.2f of it back", back)
	}
}
