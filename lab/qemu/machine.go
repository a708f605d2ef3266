// SPDX-License-Identifier: Apache-2.0

package qemu

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Program is the emulator.
const Program = "qemu-system-x86_64"

// cpu is every feature that TCG has, without those that a PV Dom0 cannot live
// with in emulation: with SMAP on it dies in its first page fault.
const cpu = "max,-smap,-smep,-pku,-la57"

// epoch is where the guest's clock starts in counted mode, so that two boots
// see the same dates.
const epoch = "2026-01-01T00:00:00"

// Machine is what is started.
type Machine struct {
	CPUs      int
	MemoryMiB int
	// Counted makes virtual time the number of instructions executed: one
	// nanosecond each, one vCPU at a time, idle time skipped.
	Counted bool

	// Hypervisor is an ELF or Multiboot file; Kernel is its first Multiboot
	// module, and Ramdisk the second: an open file, which may have no name.
	Hypervisor, Kernel string
	Ramdisk            *os.File
	// HypervisorArgs and KernelArgs are command lines. A comma in KernelArgs
	// is an error, as QEMU ends a module's arguments there.
	HypervisorArgs, KernelArgs string
	// Port is the name of the virtio-serial port that becomes the channel.
	Port string

	// Plugin, if not empty, is the path of a TCG plugin, and Shared the open
	// file that it shares with the guest, where that is a PCI memory: a whole
	// number of pages that is a power of two. The plugin gets its path as the
	// argument counters.
	Plugin string
	Shared *os.File
	// SharedBytes is the file's size.
	SharedBytes int
}

// The numbers that the channel's socket, the ramdisk and the shared file have
// in the emulator: the first ones of [exec.Cmd]'s extra files.
const (
	channelFD = 3
	ramdiskFD = 4
	sharedFD  = 5
)

// args returns the emulator's arguments.
func (m Machine) args() ([]string, error) {
	if strings.ContainsAny(m.Kernel, ", ") {
		return nil, fmt.Errorf("path %q: QEMU takes no comma and no space in the path of a Multiboot module: set VLIBOS_CACHE to another folder", m.Kernel)
	}
	if strings.Contains(m.KernelArgs, ",") {
		return nil, fmt.Errorf("kernel arguments %q: QEMU takes no comma in a Multiboot module's arguments", m.KernelArgs)
	}
	if m.Plugin != "" && (m.Counted || strings.Contains(m.Plugin, ",")) {
		return nil, fmt.Errorf("plugin %q: QEMU takes no comma in its path, and counted mode no plugin that takes time", m.Plugin)
	}
	args := []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none",
		"-machine", "pc", "-cpu", cpu,
		"-smp", strconv.Itoa(m.CPUs), "-m", strconv.Itoa(m.MemoryMiB),
	}
	if m.Counted {
		args = append(args, "-accel", "tcg,thread=single",
			"-icount", "shift=0,align=off,sleep=off", "-rtc", "base="+epoch+",clock=vm")
	} else {
		args = append(args, "-accel", "tcg,thread=multi")
	}
	if m.Plugin != "" {
		args = append(args,
			"-plugin", fmt.Sprintf("file=%s,counters=/proc/self/fd/%d", m.Plugin, sharedFD),
			"-object", fmt.Sprintf("memory-backend-file,id=shared,share=on,size=%d,mem-path=/proc/self/fd/%d", m.SharedBytes, sharedFD),
			"-device", "ivshmem-plain,memdev=shared")
	}
	return append(args,
		"-serial", "stdio",
		"-device", "virtio-serial-pci",
		"-chardev", fmt.Sprintf("socket,id=channel,fd=%d", channelFD),
		"-device", "virtserialport,chardev=channel,name="+m.Port,
		"-kernel", m.Hypervisor, "-append", m.HypervisorArgs,
		"-initrd", fmt.Sprintf("%s %s,/proc/self/fd/%d", m.Kernel, m.KernelArgs, ramdiskFD),
	), nil
}
