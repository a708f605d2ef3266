// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path"
	"strings"
	"time"
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
	// Xen is StockXen (the default), VlibXen, a variant of that, UnsupportedXen, the path
	// of an image, or NoXen: then the command runs on the release's Linux without a hypervisor, and
	// what is said of Dom0 is said of that.
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
	// EmptyNode puts the last CPU into a NUMA node of its own, which has no memory.
	EmptyNode bool
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
