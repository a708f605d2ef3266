// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/xenctl"
)

// daemon is a running 'vlibmaster serve' and the file of its configuration.
type daemon struct {
	*host.Master
	config string
}

// serve starts a master with a configuration, and waits until it serves.
func serve(t *testing.T, config string) *daemon {
	t.Helper()
	d := &daemon{config: filepath.Join(t.TempDir(), "vlibmaster.toml")}
	d.write(t, config)
	d.Master = host.Serve(t, "--config", d.config)
	return d
}

func (d *daemon) write(t *testing.T, config string) {
	t.Helper()
	host.Must(t, os.WriteFile(d.config, []byte(config), 0o644))
}

// reload has the master take another configuration; answer is what the log says then.
func (d *daemon) reload(t *testing.T, config, answer string) {
	t.Helper()
	before := d.Log.Count(answer)
	d.write(t, config)
	host.Must(t, d.Process.Signal(syscall.SIGHUP))
	d.SaysAgain(t, answer, before)
}

func (d *daemon) end(t *testing.T, s syscall.Signal) {
	t.Helper()
	host.Must(t, d.Process.Signal(s))
	if err := d.Wait(); (err != nil) != (s == syscall.SIGKILL) {
		t.Errorf("it ended with %v:\n%s", err, d.Log)
	}
}

// value is what Xen has set for a domain.
func value(t *testing.T, xen *xenctl.Handle, domid uint16, a xenctl.Allocation) uint64 {
	t.Helper()
	v, err := xen.Allocation(domid, 0, a)
	host.Must(t, err)
	return v
}

// expect compares what Xen has set for a domain.
func expect(t *testing.T, xen *xenctl.Handle, domid uint16, when string, want map[xenctl.Allocation]uint64) {
	t.Helper()
	for a, v := range want {
		if got := value(t, xen, domid, a); got != v {
			t.Errorf("%s: %v %#x, want %#x", when, a, got, v)
		}
	}
}

const dom0 = 0

const taken, refused = "configuration taken", "the new configuration is not taken"

// table is a class for one domain.
func table(domain, shares string) string {
	return fmt.Sprintf("[[cache]]\nname = \"wide\"\ndomains = [%q]\n%s\n", domain, shares)
}

// Xen was started with one monitoring ID, and two classes besides the default.
func TestDaemonsClassesAreProgrammed(t *testing.T) {
	xen := host.Xen(t)
	expect(t, xen, domU, "before", map[xenctl.Allocation]uint64{xenctl.L3Mask: 0xfff, xenctl.Throttle: 0})
	d := serve(t, table("vlib1", "l3 = \"60%\"\nmba = \"45%\""))
	wide := map[xenctl.Allocation]uint64{xenctl.L3Mask: 0x7f, xenctl.Throttle: 50}
	expect(t, xen, domU, "60 %", wide)
	if out := host.Run(t, "xl", "psr-cat-show", "vlib1"); !strings.Contains(out, "0x7f") {
		t.Errorf("xl shows %s", out)
	}

	// A refused configuration changes nothing, and the log says why.
	for config, why := range map[string]string{
		table("vlib1", `l2 = "50%"`):                                                                       "l2: this processor does not support it",
		table("vlib1", `l3_code = "50%"`+"\nl3_data = \"50%\""):                                            "psr=cdp",
		table("vlib1", `l3 = "10%"`) + "[[cache]]\nname=\"b\"\nl3=\"20%\"\nmba=\"10%\"\ndomains=[\"x\"]\n": "too many classes: 2, and this host has 1",
		table("vlib1", `l3 = "0%"`):                                                                        "0%",
	} {
		d.reload(t, config, refused)
		if !strings.Contains(d.Log.String(), why) {
			t.Errorf("%q is not said", why)
		}
		expect(t, xen, domU, why, wide)
	}

	// More domains than IDs: those that have none say so.
	var c api.Caches
	host.Must(t, json.Unmarshal([]byte(host.Run(t, "vlibmaster", "cache", "show", "--json")), &c))
	if len(c.Classes) != 1 || len(c.Classes[0].Members) != 1 || len(c.Without) != 1 || c.Capacity != 3<<20 || c.Ways != 12 {
		t.Errorf("%+v", c)
	}
	text := host.Run(t, "vlibmaster", "cache", "show")
	t.Logf("\n%s", text)
	for _, words := range []string{".....#######", "50 %", "all of the processor's 1 monitoring IDs are in use", "Domain-0", "3.0 MiB"} {
		if !strings.Contains(text, words) {
			t.Errorf("cache show does not say %q", words)
		}
	}
	ps := host.Run(t, "vlibmaster", "ps", "-a")
	t.Logf("\n%s", ps)
	if !strings.Contains(ps, "MEMORY/S") {
		t.Error("ps has no use of memory")
	}

	// One of the two classes is another program's: Xen changes the daemon's in its place.
	d.reload(t, "", taken)
	free := map[xenctl.Allocation]uint64{xenctl.L3Mask: 0xfff, xenctl.Throttle: 0}
	expect(t, xen, domU, "without a table", free)
	host.Run(t, "xl", "psr-cat-set", "Domain-0", "0xc")
	d.reload(t, table("vlib1", "l3 = \"60%\"\nmba = \"45%\""), taken)
	expect(t, xen, domU, "with another program's class", wide)
	if got := value(t, xen, 0, xenctl.L3Mask); got != 0xc {
		t.Errorf("the other program's mask is %#x", got)
	}
	host.Run(t, "xl", "psr-cat-set", "Domain-0", "0xfff")

	// The end gives back what was; a kill leaves it, and the next start gives it back.
	d.reload(t, table("vlib1", "l3 = \"30%\""), taken)
	expect(t, xen, domU, "30 %", map[xenctl.Allocation]uint64{xenctl.L3Mask: 0x7, xenctl.Throttle: 0})
	d.end(t, syscall.SIGTERM)
	expect(t, xen, domU, "after the end", free)
	for _, domid := range []uint16{0, domU} {
		if id, err := xen.MonitorID(domid); err != nil || id != 0 {
			t.Errorf("domain %d has monitoring ID %d after the end, %v", domid, id, err)
		}
	}
	d = serve(t, table("vlib1", "l3 = \"60%\"\nmba = \"45%\""))
	d.end(t, syscall.SIGKILL)
	expect(t, xen, domU, "after a kill", wide)
	d = serve(t, "")
	expect(t, xen, domU, "after the next start", free)
	d.end(t, syscall.SIGTERM)
}

// Code and data apart, and the second-level caches.
func TestDaemonsClassesWithCodeAndDataApart(t *testing.T) {
	xen := host.Xen(t)
	d := serve(t, table("Domain-0", "l3_code = \"20%\"\nl3_data = \"40%\"\nl2 = \"25%\"\nmba = \"30%\""))
	expect(t, xen, dom0, "apart", map[xenctl.Allocation]uint64{xenctl.L3Code: 0x7, xenctl.L3Data: 0x1f8, xenctl.L2Mask: 0xf, xenctl.Throttle: 70})
	d.reload(t, table("Domain-0", `l3 = "40%"`), taken)
	expect(t, xen, dom0, "together", map[xenctl.Allocation]uint64{xenctl.L3Code: 0x3f, xenctl.L3Data: 0x3f, xenctl.L2Mask: 0xffff, xenctl.Throttle: 0})
	t.Logf("\n%s", host.Run(t, "vlibmaster", "cache", "show"))
	d.end(t, syscall.SIGTERM)
	expect(t, xen, dom0, "after the end", map[xenctl.Allocation]uint64{xenctl.L3Code: 0x7fff, xenctl.L3Data: 0x7fff, xenctl.L2Mask: 0xffff, xenctl.Throttle: 0})
}

// Xen refuses what the processor would, and keeps the earlier mask.
func TestMasksThatAreNoneAreRefused(t *testing.T) {
	xen := host.Xen(t)
	host.Must(t, xen.SetAllocation(domU, 0, xenctl.L3Mask, 0x3))
	for _, mask := range []uint64{0, 0x5, 0x1000, 0xf0f, 1 << 40} {
		if err := xen.SetAllocation(domU, 0, xenctl.L3Mask, mask); err == nil {
			t.Errorf("mask %#x was taken", mask)
		} else {
			t.Log(err)
		}
		expect(t, xen, domU, "a refused mask", map[xenctl.Allocation]uint64{xenctl.L3Mask: 0x3})
	}
	host.Must(t, xen.SetAllocation(domU, 0, xenctl.L3Mask, 0xfff))
}

// A CPU that goes offline takes neither a class nor the monitoring with it.
func TestClassesOutliveACPU(t *testing.T) {
	xen := host.Xen(t)
	const other = 1
	host.Must(t, errors.Join(xen.SetAllocation(domU, 0, xenctl.L3Mask, 0x3), xen.Monitor(domU)))
	defer func() {
		host.Must(t, errors.Join(xen.SetAllocation(domU, 0, xenctl.L3Mask, 0xfff), xen.Unmonitor(domU)))
	}()
	id, err := xen.MonitorID(domU)
	host.Must(t, err)
	host.Run(t, "xen-hptool", "cpu-offline", fmt.Sprint(other))
	mask := map[xenctl.Allocation]uint64{xenctl.L3Mask: 0x3}
	expect(t, xen, domU, "with a CPU offline", mask)
	if _, err := xen.MonitorCount(other, id, xenctl.CacheOccupancy); !errors.Is(err, xenctl.ErrNotSupported) {
		t.Errorf("its counters: %v", err)
	}
	cpus, err := xen.SocketCPUs()
	if err != nil || len(cpus) != 1 || cpus[0] != 0 {
		t.Errorf("CPUs of sockets: %v, %v", cpus, err)
	}
	_, err = xen.MonitorCount(cpus[0], id, xenctl.CacheOccupancy)
	host.Must(t, err)
	host.Run(t, "xen-hptool", "cpu-online", fmt.Sprint(other))
	expect(t, xen, domU, "online again", mask)
	_, err = xen.MonitorCount(other, id, xenctl.CacheOccupancy)
	host.Must(t, err)
}

// Xen 4.17 looks at the feature bits, and not at the manufacturer.
func TestAMDsClassesByXen(t *testing.T) {
	xen := host.Xen(t)
	l3, err := xen.L3Info(0)
	t.Logf("L3: %+v, %v", l3, err)
	bandwidth, err := xen.BandwidthInfo(0)
	t.Logf("bandwidth: %+v, %v", bandwidth, err)
	m, err := xen.Monitoring(0)
	t.Logf("monitoring: %+v, %v", m, err)
	out, status := host.Command(t, "xl", "psr-hwinfo")
	t.Logf("status %d\n%s", status, out)
	t.Logf("\n%s", host.Run(t, "vlibmaster", "doctor"))
	d := serve(t, table("Domain-0", `l3 = "50%"`))
	expect(t, xen, dom0, "50 %", map[xenctl.Allocation]uint64{xenctl.L3Mask: 0xff})
	t.Logf("\n%s", host.Run(t, "vlibmaster", "cache", "show"))
	d.end(t, syscall.SIGTERM)
	expect(t, xen, dom0, "after the end", map[xenctl.Allocation]uint64{xenctl.L3Mask: 0xffff})
}
