// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/processor"
	"github.com/vlibos/vlibos/throttle/model"
)

// The least memory with which a Dom0 boots and unpacks its image, and what Xen and
// each domain's tables need in addition to the domains' memory, in MiB.
const (
	defaultDom0MiB = 1024
	leastDom0MiB   = 512
	xenMiB         = 160
	domainExtraMiB = 16
	defaultDomUMiB = 256
	mostCPUs       = 64
	mostDomUs      = 64
)

// packageName is the syntax of a package's name in Debian's policy.
var packageName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`)

// Check returns an error that says what is wrong with a configuration, or nil.
// [Run] checks, too; Check is for a caller that needs the distinction.
func (c Config) Check() error {
	_, err := c.complete()
	return err
}

// complete returns the configuration with its defaults set, or an error that says
// what is wrong with it.
func (c Config) complete() (Config, error) {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	if len(c.Args) == 0 {
		return c, fmt.Errorf("no command to run in Dom0")
	}
	var err error
	if c.Release, err = releaseName(c.Release); err != nil {
		return c, err
	}
	if c.Guest == "" {
		c.Guest = PV
	}
	if c.Mode == "" {
		c.Mode = Functional
		if c.Guest != PV {
			c.Mode = Counted
		}
	}
	if c.Xen == "" {
		c.Xen = StockXen
	}
	if c.Mode != Functional && c.Mode != Counted && c.Mode != Contended {
		return c, fmt.Errorf("mode %q: want %s, %s or %s", c.Mode, Functional, Counted, Contended)
	}
	if c.BusService != 0 && c.Mode != Contended {
		return c, fmt.Errorf("a bus service time of %v in %s mode: only the %s mode has a memory bus", c.BusService, c.Mode, Contended)
	}
	if c.Processor != "" {
		if _, err := processor.Find(c.Processor); err != nil {
			return c, err
		}
		c.Fresh = true // a saved machine has no registers of it
	}
	if c.Profile != nil && c.Mode != Counted {
		return c, fmt.Errorf("a profile in %s mode: instructions are counted in the %s mode", c.Mode, Counted)
	}
	if c.BusService < 0 || c.BusService > model.MaxService {
		return c, fmt.Errorf("a bus service time of %v: want 0 to %v", c.BusService, model.MaxService)
	}
	if c.Guest != PV && c.Guest != PVH && c.Guest != HVM {
		return c, fmt.Errorf("guest %q: want %s, %s or %s", c.Guest, PV, PVH, HVM)
	}
	if c.Guest == HVM && c.Release == image.DefaultRelease {
		// QEMU 7.2 gives the option ROM that loads a kernel no DMA under Xen.
		return c, fmt.Errorf("HVM guests of %s: its device model copies a kernel to the guest byte by byte, which takes hours in emulation: use trixie", c.Release)
	}
	if c.Guest == HVM && c.DomUs > 0 && !slices.Contains(c.Dom0Packages, image.DeviceModel) {
		c.Dom0Packages = append(slices.Clone(c.Dom0Packages), image.DeviceModel)
	}
	if c.Guest != PV && c.DomUs > 0 && c.Mode != Counted {
		// Once in some hundred thousand exits, the next instruction faults in the
		// guest or in Xen; not with -icount. Xen 4.17.7 and 4.20 have no shadow page
		// tables as an alternative.
		return c, fmt.Errorf("%s guests in %s mode: the emulator sometimes misses a switch of their nested page tables: use the %s mode", strings.ToUpper(string(c.Guest)), c.Mode, Counted)
	}
	if hasModule(c.Xen) && c.Scheduler == "" {
		c.Scheduler = vlibScheduler
	}
	if (c.Xen == StockXen || c.Xen == UnsupportedXen) && c.Scheduler == vlibScheduler {
		return c, fmt.Errorf("Xen without the module has no scheduler %q: boot --xen %s", c.Scheduler, VlibXen)
	}
	if (c.Join != "") != c.Address.Addr().Is4() {
		return c, fmt.Errorf("a network to another machine needs a socket and this machine's IPv4 address, for example 10.0.0.1/24: got %q and %v", c.Join, c.Address)
	}
	if c.Join != "" && c.Mode != Functional {
		// Where idle time is skipped, a time-out is over before the other machine can answer.
		return c, fmt.Errorf("a network to another machine in %s mode: use the %s mode", c.Mode, Functional)
	}
	if strings.ContainsAny(c.Scheduler, " \t,") {
		return c, fmt.Errorf("scheduler %q: want one name, for example credit2", c.Scheduler)
	}
	if c.Xen == NoXen && (c.DomUs > 0 || c.Scheduler != "" || c.XenArgs != "") {
		return c, fmt.Errorf("%d DomUs, scheduler %q, arguments %q of Xen: with --xen %s there is no Xen", c.DomUs, c.Scheduler, c.XenArgs, NoXen)
	}
	if c.Xen == NoXen && c.Mode == Counted {
		if def(&c.PCPUs, 1); c.PCPUs != 1 {
			return c, fmt.Errorf("%d CPUs in %s mode: Linux alone does not start its second one there", c.PCPUs, c.Mode)
		}
	}
	if c.Xen != NoXen && strings.Contains(c.KernelArgs, ",") {
		return c, fmt.Errorf("kernel arguments %q: QEMU allows no comma in those of Dom0", c.KernelArgs)
	}
	if c.Xen != StockXen && c.Xen != NoXen && !isBuilt(c.Xen) {
		if !strings.Contains(c.Xen, "/") {
			return c, fmt.Errorf("unknown hypervisor %q: want %s, %s, %s, %s, %s, %s or the path of a file, with a slash", c.Xen, StockXen, VlibXen, VlibDebugXen, VlibFlaskXen, UnsupportedXen, NoXen)
		}
		if _, err := os.Stat(c.Xen); err != nil {
			return c, fmt.Errorf("hypervisor: %w", err)
		}
	}
	slow := c.Mode != Functional
	def(&c.PCPUs, 2)
	if slow {
		def(&c.Dom0VCPUs, 1)
		if c.DomUCPUs == "" {
			c.DomUCPUs = fmt.Sprint(c.PCPUs - 1)
		}
	}
	def(&c.Dom0VCPUs, c.PCPUs)
	def(&c.DomUVCPUs, 1)
	def(&c.DomUMemoryMiB, defaultDomUMiB)
	for _, n := range []struct {
		name             string
		value, low, high int
	}{
		{"number of CPUs", c.PCPUs, 1, mostCPUs},
		{"number of Dom0's vCPUs", c.Dom0VCPUs, 1, mostCPUs},
		{"number of DomUs", c.DomUs, 0, mostDomUs},
		{"number of a DomU's vCPUs", c.DomUVCPUs, 1, mostCPUs},
		{"DomU memory in MiB", c.DomUMemoryMiB, 64, 1 << 20},
		{"gntalloc limit", c.DomUGntallocLimit, 0, 1 << 30},
	} {
		if n.value < n.low || n.value > n.high {
			return c, fmt.Errorf("%s is %d: want %d to %d", n.name, n.value, n.low, n.high)
		}
	}
	if c.EmptyNode && c.PCPUs < 2 {
		return c, fmt.Errorf("a NUMA node without memory, on a machine of one CPU: want two CPUs or more")
	}
	def(&c.MemoryMiB, defaultDom0MiB+c.reserved())
	if c.dom0MiB() < leastDom0MiB {
		return c, fmt.Errorf("memory of %d MiB leaves %d for Dom0, which needs %d: give the machine %d",
			c.MemoryMiB, c.dom0MiB(), leastDom0MiB, leastDom0MiB+c.reserved())
	}
	if c.BootTimeout == 0 {
		c.BootTimeout = 5 * time.Minute
		if slow {
			c.BootTimeout = 10 * time.Minute
		}
		if c.Guest == HVM { // firmware, and a loader, in emulation
			c.BootTimeout = 30 * time.Minute
		}
	}
	if c.ServerTimeout == 0 {
		c.ServerTimeout = 3 * time.Minute
	}
	if c.BootTimeout < 0 || c.ServerTimeout < time.Second || c.Timeout < 0 {
		return c, fmt.Errorf("a time limit is negative or too short: boot %v, server %v, run %v", c.BootTimeout, c.ServerTimeout, c.Timeout)
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Stderr == nil {
		c.Stderr = io.Discard
	}
	if c.SetupLog == nil {
		c.SetupLog = io.Discard
	}
	if c.Notes == nil {
		c.Notes = c.SetupLog
	}
	if c.Console == nil {
		c.Console = io.Discard
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	for _, name := range append(c.Dom0Packages[:len(c.Dom0Packages):len(c.Dom0Packages)], c.DomUPackages...) {
		if !packageName.MatchString(name) {
			return c, fmt.Errorf("package %q: want a name, for example curl", name)
		}
	}
	for _, f := range append(c.Add[:len(c.Add):len(c.Add)], c.DomUAdd...) {
		if _, err := os.Stat(f.Host); err != nil {
			return c, fmt.Errorf("add a file: %w", err)
		}
	}
	return c, nil
}

// reserved is the memory in MiB that Dom0 does not get.
func (c Config) reserved() int {
	if c.Xen == NoXen {
		return 0
	}
	return xenMiB + c.DomUs*(c.DomUMemoryMiB+domainExtraMiB)
}

func (c Config) dom0MiB() int { return c.MemoryMiB - c.reserved() }
