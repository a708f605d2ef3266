// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/processor"
	"github.com/vlibos/vlibos/throttle/model"
)

// Mode is how the machine is emulated, and so which measurements in it are valid.
type Mode string

const (
	// Functional emulates each CPU by a thread of its own. Behaviour, order and
	// races are valid.
	Functional Mode = "functional"
	// Counted makes time the number of executed instructions. Counts are valid
	// and repeatable; parallelism is not.
	Counted Mode = "counted"
	// Contended is Functional with a model of a shared cache and a memory bus, on
	// which CPUs delay one another. Relative slowdowns under contention are
	// valid.
	Contended Mode = "contended"
)

// Guest is the kind of the DomUs.
type Guest string

// The kinds of DomUs.
const (
	PV  Guest = "pv"
	PVH Guest = "pvh"
	HVM Guest = "hvm" // with a device model in Dom0
)

// File is a file or folder of this machine and its path in an image.
type File struct{ Host, Guest string }

// ParseFile parses HOST:GUEST. A guest path that ends in a slash is the folder of
// the file.
func ParseFile(s string) (File, error) {
	host, guest, ok := strings.Cut(s, ":")
	if !ok || host == "" || !path.IsAbs(guest) {
		return File{}, fmt.Errorf("%q: want HOST:GUEST with an absolute guest path", s)
	}
	return File{Host: host, Guest: guest}, nil
}

// Window is the size of a terminal in characters.
type Window struct{ Rows, Cols uint16 }

// Config describes one run. Every field but Args has a default: its zero value.
type Config struct {
	// Args is the command that runs in Dom0, which is looked up in Dom0's PATH.
	// Env is added to its environment, as NAME=VALUE.
	Args []string
	Env  []string
	// Stdin is passed to the command, if it is not nil. A Read that blocks at the
	// end of the run is not awaited.
	Stdin io.Reader
	// Stdout and Stderr get the command's output while it runs; nil drops it. One
	// goroutine writes to them.
	Stdout, Stderr io.Writer
	// TTY gives the command a terminal of this size. Resize changes the size.
	TTY    *Window
	Resize <-chan Window

	// Release is the release of Debian whose Xen, kernel and packages are booted,
	// one of [image.Releases]; by default [image.DefaultRelease].
	Release string
	Mode    Mode // default Functional
	// BusService is, in contended mode, the length of a turn on the memory bus
	// from the start of the command on, at most [model.MaxService]. 0 leaves the
	// model off; the command may switch it on.
	BusService time.Duration
	// Processor is the name of an emulated processor with cache classes or uncore
	// counters, one of [processor.Names]; by default QEMU's own, which has neither. In
	// contended mode its classes are obeyed and its counters move. Its machines are
	// not saved.
	Processor string
	// Xen is StockXen (the default), VlibXen, a variant of that, or the path of an
	// image.
	Xen string
	// Scheduler is that of Dom0 and, without cpupools, of all domains, by its name
	// on Xen's command line. By default it is the module's in VlibXen and its
	// variants, and Xen's own default in others.
	Scheduler string
	// XenArgs and KernelArgs are added to the command lines of the hypervisor and
	// of Dom0's kernel.
	XenArgs, KernelArgs string
	// PCPUs is the number of emulated CPUs, by default 2. In counted and contended
	// mode Dom0 has one and the DomUs have one, so that both can poll, and only
	// the other delays each.
	PCPUs int
	// MemoryMiB is the machine's memory, by default 1 GiB and what the DomUs need.
	// Dom0 gets what they and Xen leave.
	MemoryMiB int
	// Dom0VCPUs is by default the number of CPUs; in counted and contended mode it
	// is 1, and the vCPU is pinned.
	Dom0VCPUs int

	// DomUs is the number of guests, which are named vlib1, vlib2, and so on.
	DomUs int
	// Guest is by default PV.
	Guest Guest
	// DomUMemoryMiB is each DomU's memory, by default 256.
	DomUMemoryMiB int
	DomUVCPUs     int // default 1
	// DomUCPUs is the DomUs' affinity in xl's syntax, for example "1" or "2-3". By
	// default it is all; in counted and contended mode it is the last CPU.
	DomUCPUs string
	// DomUKernelArgs is added to the DomUs' kernel command line.
	DomUKernelArgs string
	// DomUGntallocLimit is the number of pages that the DomU's gntalloc device may
	// share; 0 for the kernel's own 1024.
	DomUGntallocLimit int

	// Profile, if not nil, is an open file that gets the counts of instructions
	// by address between marks of the programs in the machine, as the plugin in
	// lab/membus/plugin/profile.c says. It needs the counted mode and two CPUs.
	Profile *os.File

	// Join is the path of a Unix socket at which two Runs meet. The first waits for
	// the second. Their machines have a network, on which Address is this machine's
	// IPv4 address, with the length of the network's prefix.
	Join    string
	Address netip.Prefix

	// Fresh boots even if a saved machine could be resumed, and saves none.
	Fresh bool
	// NoWait does not wait until the servers in the DomUs are announced: for
	// servers that announce nothing.
	NoWait bool

	// Add and DomUAdd copy files of this machine into Dom0 and the DomUs, where
	// they replace others, after Xen's daemons and the DomUs have been started.
	// Programs may be linked to glibc.
	Add, DomUAdd []File
	// Dom0Packages and DomUPackages are packages of the release that are added to
	// the images of Dom0 and the DomUs, with all their dependencies. None of their
	// scripts runs.
	Dom0Packages, DomUPackages []string
	// BinDir is the folder of this project's programs. By default it is that of the
	// running program if they are there, or else bin/ of the enclosing module.
	BinDir string

	// BootTimeout limits the time until the command runs: by default five minutes,
	// ten in counted and contended mode, thirty with HVM guests. Timeout limits the whole run; 0 is no
	// limit.
	BootTimeout, Timeout time.Duration
	// ServerTimeout limits the wait for one DomU's server, in the guest's time and
	// whole seconds: by default three minutes.
	ServerTimeout time.Duration

	// Progress is called with the name of each stage, from one goroutine.
	Progress func(stage string)
	// SetupLog gets the messages of setting up the machine.
	SetupLog io.Writer
	// Notes gets a line for each saved machine that is damaged, or that cannot be
	// resumed, saved or removed; the run continues. By default it is SetupLog.
	Notes io.Writer
	// Console gets the serial console of Xen and Dom0 while it is written.
	Console io.Writer
	// Logs requests the DomUs' consoles in the Result. An [Error] has them in any
	// case.
	Logs bool
}

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
	if c.Xen == StockXen && c.Scheduler == vlibScheduler {
		return c, fmt.Errorf("the distribution's Xen has no scheduler %q: boot --xen %s", c.Scheduler, VlibXen)
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
	if strings.Contains(c.KernelArgs, ",") {
		return c, fmt.Errorf("kernel arguments %q: QEMU allows no comma in those of Dom0", c.KernelArgs)
	}
	if c.Xen != StockXen && !hasModule(c.Xen) {
		if !strings.Contains(c.Xen, "/") {
			return c, fmt.Errorf("unknown hypervisor %q: want %s, %s, %s, %s or the path of a file, with a slash", c.Xen, StockXen, VlibXen, VlibDebugXen, VlibFlaskXen)
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
func (c Config) reserved() int { return xenMiB + c.DomUs*(c.DomUMemoryMiB+domainExtraMiB) }

func (c Config) dom0MiB() int { return c.MemoryMiB - c.reserved() }
