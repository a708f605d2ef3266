// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Program is the emulator.
const Program = "qemu-system-x86_64"

// cpu has every feature of TCG but three kinds. With SMAP, SMEP, PKU or LA57, a PV
// Dom0 dies in its first page fault. With X2APIC, which TCG has from QEMU 9 on, the
// emulator of counted mode ends with "Bad icount read" when Xen sets its timer.
// With ERMS the kernel copies and clears memory by REP MOVSB, of which TCG emulates
// each byte separately: a boot takes an eighth longer. FSRM, which TCG has from
// QEMU 8 on, must be absent, too: with it, Linux 6.1's memmove() assumes ERMS and
// corrupts memory.
const cpu = "max,-smap,-smep,-pku,-la57,-x2apic,-erms,-fsrm"

// epoch is the start of the guest's clock in counted mode, so that two boots have
// the same dates.
const epoch = "2026-01-01T00:00:00"

// Machine is a machine to start.
type Machine struct {
	CPUs      int
	MemoryMiB int
	// EmptyNode puts the last CPU into a NUMA node of its own, which has no memory.
	EmptyNode bool
	// Counted makes virtual time the number of executed instructions, one
	// nanosecond each. One CPU runs at a time, and idle time is skipped.
	Counted bool

	// Hypervisor is an ELF or Multiboot file. Kernel is its first Multiboot
	// module. Ramdisk is the second: an open file, which may have no name. Without
	// a hypervisor the kernel is booted directly, as its package has it.
	Hypervisor, Kernel string
	Ramdisk            *os.File
	// HypervisorArgs and KernelArgs are command lines. With a hypervisor, a comma in
	// KernelArgs is an error: QEMU takes it for the end of the module's arguments.
	HypervisorArgs, KernelArgs string
	// Port is the name of the virtio-serial port that carries the channel.
	Port string
	// Disks are open files of a fixed size, which may have no name. They are
	// read-only virtio disks in this order. The guest sees what is written to
	// the files while it runs.
	Disks []*os.File

	// Link, if not nil, is a connected stream socket on which this machine and
	// another exchange Ethernet frames. MAC is the address of its network device.
	Link *os.File
	MAC  net.HardwareAddr

	// Saved, if not nil, is an open file with what [Process.Save] wrote, from
	// the file's offset on. The machine resumes that instead of booting, and
	// waits for [Process.Continue]. All else must be as it was when it was
	// saved, except the disks' contents and the plugin.
	Saved *os.File

	// Shared, if not nil, is an open file that the guest sees as a PCI memory of
	// SharedBytes, which must be a power of two and a whole number of pages. A
	// saved machine does not include it.
	Shared      *os.File
	SharedBytes int
	// Plugin, if not empty, is the path of a TCG plugin. Its argument counters is
	// the path of Shared, and processor that of Processor's state; or, in a machine
	// that is counted, its argument counts is the path of Profile, an open file.
	Plugin  string
	Profile *os.File

	// Processor, if not nil, is an emulated processor other than QEMU's own.
	Processor *Processor
}

// Processor is an emulated processor of package lab/processor.
type Processor struct {
	// Emulator is the path of the program that has it, Name its name there. CPU
	// continues the value of the option -cpu.
	Emulator, Name, CPU string
	// State is an open file for what software programs and what is counted. A
	// saved machine does not include it.
	State *os.File
}

// firmware are the folders with the BIOS in the distribution's packages, which an
// emulator of our own does not know.
var firmware = []string{"/usr/share/qemu", "/usr/share/seabios"}

// firstFD is the number, in the emulator, of the first of [exec.Cmd]'s extra files.
const firstFD = 3

// arguments are the emulator, its arguments, what is added to its environment, and
// the files that they name by number.
type arguments struct {
	program   string
	list, env []string
	files     []*os.File
}

func (a *arguments) add(args ...string) { a.list = append(a.list, args...) }

// fd passes an open file to the emulator and returns its number there.
func (a *arguments) fd(f *os.File) int {
	a.files = append(a.files, f)
	return firstFD + len(a.files) - 1
}

// arguments returns the emulator's arguments. channel and monitor are its ends of
// these connections.
func (m Machine) arguments(channel, monitor *os.File) (*arguments, error) {
	if m.Hypervisor != "" && strings.ContainsAny(m.Kernel, ", ") {
		return nil, fmt.Errorf("path %q: QEMU takes no comma and no space in the path of a Multiboot module: set VLIBOS_CACHE to another folder", m.Kernel)
	}
	if m.Hypervisor != "" && strings.Contains(m.KernelArgs, ",") {
		return nil, fmt.Errorf("kernel arguments %q: QEMU takes no comma in a Multiboot module's arguments", m.KernelArgs)
	}
	file := m.Shared
	if m.Counted {
		file = m.Profile
	}
	if m.Plugin != "" && (file == nil || strings.Contains(m.Plugin, ",")) {
		return nil, fmt.Errorf("plugin %q: its path must have no comma, and it needs a profile's file in a machine that is counted, a shared file in another", m.Plugin)
	}
	a := arguments{program: Program}
	model := cpu
	if m.Processor != nil {
		model += m.Processor.CPU
		a.program = m.Processor.Emulator
		for _, dir := range firmware {
			a.add("-L", dir)
		}
	}
	a.add("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-machine", "pc", "-cpu", model,
		"-smp", strconv.Itoa(m.CPUs), "-m", strconv.Itoa(m.MemoryMiB))
	if m.EmptyNode {
		last := m.CPUs - 1
		cpus := "0"
		if last > 1 {
			cpus = fmt.Sprintf("0-%d", last-1)
		}
		a.add("-object", fmt.Sprintf("memory-backend-ram,id=node,size=%dM", m.MemoryMiB),
			"-numa", "node,nodeid=0,memdev=node,cpus="+cpus, "-numa", fmt.Sprintf("node,nodeid=1,cpus=%d", last))
	}
	if m.Counted {
		a.add("-accel", "tcg,thread=single",
			"-icount", "shift=0,align=off,sleep=off", "-rtc", "base="+epoch+",clock=vm")
	} else {
		a.add("-accel", "tcg,thread=multi")
	}
	a.add("-serial", "stdio",
		"-chardev", fmt.Sprintf("socket,id=monitor,fd=%d", a.fd(monitor)), "-mon", "chardev=monitor,mode=control",
		"-device", "virtio-serial-pci",
		"-chardev", fmt.Sprintf("socket,id=channel,fd=%d", a.fd(channel)),
		"-device", "virtserialport,chardev=channel,name="+m.Port)
	ramdisk := fmt.Sprintf("/proc/self/fd/%d", a.fd(m.Ramdisk))
	if m.Hypervisor != "" {
		a.add("-kernel", m.Hypervisor, "-append", m.HypervisorArgs,
			"-initrd", fmt.Sprintf("%s %s,%s", m.Kernel, m.KernelArgs, ramdisk))
	} else {
		a.add("-kernel", m.Kernel, "-append", m.KernelArgs, "-initrd", ramdisk)
	}
	for i, disk := range m.Disks {
		a.add("-blockdev", fmt.Sprintf("driver=raw,node-name=disk%d,read-only=on,file.driver=file,file.locking=off,file.filename=/proc/self/fd/%d", i, a.fd(disk)),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=disk%d", i))
	}
	if m.Link != nil {
		a.add("-netdev", fmt.Sprintf("socket,id=link,fd=%d", a.fd(m.Link)),
			"-device", fmt.Sprintf("virtio-net-pci,netdev=link,mac=%v,romfile=", m.MAC))
	}
	var state string
	if m.Processor != nil {
		state = fmt.Sprintf("/proc/self/fd/%d", a.fd(m.Processor.State))
		a.env = []string{"VLIBOS_PROCESSOR=" + m.Processor.Name, "VLIBOS_PROCESSOR_STATE=" + state}
	}
	if m.Shared != nil {
		shared := a.fd(m.Shared)
		// A saved machine may include the master's device, not a peer's.
		a.add("-object", fmt.Sprintf("memory-backend-file,id=shared,share=on,size=%d,mem-path=/proc/self/fd/%d", m.SharedBytes, shared),
			"-device", "ivshmem-plain,memdev=shared,master=on")
		if m.Plugin != "" {
			plugin := fmt.Sprintf("file=%s,counters=/proc/self/fd/%d", m.Plugin, shared)
			if m.Processor != nil {
				plugin += ",processor=" + state
			}
			a.add("-plugin", plugin)
		}
	} else if m.Plugin != "" {
		a.add("-plugin", fmt.Sprintf("file=%s,counts=/proc/self/fd/%d", m.Plugin, a.fd(m.Profile)))
	}
	if m.Saved != nil {
		// The monitor is told where the saved machine comes from.
		a.add("-S", "-incoming", "defer")
	}
	return &a, nil
}

// Identity is what a saved machine depends on, besides the files' contents. Two
// machines with the same identity can resume each other's saved state.
func (m Machine) Identity() (string, error) {
	if m.Hypervisor != "" {
		m.Hypervisor = "hypervisor"
	}
	m.Kernel, m.Saved, m.Plugin = "kernel", nil, ""
	a, err := m.arguments(nil, nil)
	if err != nil {
		return "", err
	}
	return strings.Join(a.list, "\n"), nil
}
