// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/labproto"
)

// xenArgs is the hypervisor's command line. It needs eager-fpu: with lazy
// switching, TCG gives a process the SSE registers of another.
func (c Config) xenArgs() string {
	args := []string{
		"console=com1", "com1=115200,8n1", "loglvl=warning", "guest_loglvl=warning",
		"spec-ctrl=eager-fpu",
		fmt.Sprintf("dom0_mem=%dM,max:%dM", c.dom0MiB(), c.dom0MiB()),
		fmt.Sprintf("dom0_max_vcpus=%d", c.Dom0VCPUs),
	}
	if c.Mode != Functional {
		args = append(args, "dom0_vcpus_pin")
	}
	if c.Scheduler != "" {
		args = append(args, "sched="+c.Scheduler)
	}
	return join(args, c.XenArgs)
}

// kernelArgs is for all kernels on Xen. The last two omit what takes seconds in emulation
// and does not matter to user space: write protection of the kernel, with a walk
// over all its page tables, and self-tests of its ciphers.
var kernelArgs = []string{"console=hvc0", "panic=1", "rodata=off", "cryptomgr.notests"}

func (c Config) dom0Args() string {
	args, role := slices.Clone(kernelArgs), labproto.RoleDom0
	if c.Xen == NoXen {
		// A busy host lets the emulator miss the ticks that Linux tests its timer by.
		args = append(args, "no_timer_check")
		args[0], role = "console=ttyS0", labproto.RoleLinux
	}
	return join(append(args, labproto.RoleParameter+"="+role), c.KernelArgs)
}

func join(args []string, more string) string {
	if more != "" {
		args = append(args, more)
	}
	return strings.Join(args, " ")
}

// domains returns the DomUs with their xl configuration (xl.cfg(5)).
func (c Config) domains() []labproto.DomU {
	var domains []labproto.DomU
	for i := range c.DomUs {
		name := fmt.Sprintf("vlib%d", i+1)
		args := append(slices.Clone(kernelArgs),
			labproto.RoleParameter+"="+labproto.RoleDomU, "vlibos.name="+name,
			// Without it a DomU's user space may make no hypercalls.
			"xen_privcmd.unrestricted=1")
		if c.DomUGntallocLimit > 0 {
			args = append(args, fmt.Sprintf("xen_gntalloc.limit=%d", c.DomUGntallocLimit))
		}
		var b strings.Builder
		fmt.Fprintf(&b, "type = %q\n", c.Guest)
		fmt.Fprintf(&b, "extra = %q\n", join(args, c.DomUKernelArgs))
		disk := ""
		if c.Guest == HVM {
			// Its device model writes no video, and Xen has no shadow page tables. The
			// device model serves the disk both ways: an emulated one until the guest's
			// PV drivers unplug that, and theirs.
			disk = "/tmp/" + name + ".img"
			fmt.Fprintf(&b, "vga = \"none\"\nnographic = 1\nhap = 1\ndisk = [ \"format=raw, vdev=hdb, access=rw, backendtype=qdisk, target=%s\" ]\n", disk)
		}
		fmt.Fprintf(&b, "memory = %d\nvcpus = %d\n", c.DomUMemoryMiB, c.DomUVCPUs)
		if c.DomUCPUs != "" {
			fmt.Fprintf(&b, "cpus = %q\n", c.DomUCPUs)
		}
		b.WriteString("tsc_mode = \"native\"\non_poweroff = \"destroy\"\non_reboot = \"destroy\"\non_crash = \"destroy\"\n")
		domains = append(domains, labproto.DomU{Name: name, Config: b.String(), Disk: disk})
	}
	return domains
}

// plan is what Dom0's init prepares.
func (c Config) plan() labproto.Plan {
	return labproto.Plan{Scheduler: c.Scheduler, Domains: c.domains(), Kernel: image.Kernel, Ramdisk: []string{image.Ramdisk, image.Overlay}}
}

// job is what Dom0's init then runs.
func (c Config) job(hasServer bool) labproto.Job {
	j := labproto.Job{Args: c.Args, Env: c.Env, Stdin: c.Stdin != nil, Logs: c.Logs}
	if c.TTY != nil {
		j.TTY = &labproto.Window{Rows: c.TTY.Rows, Cols: c.TTY.Cols}
	}
	if c.Join != "" {
		j.Address = c.Address.String()
	}
	if hasServer && !c.NoWait {
		j.WaitSeconds = int(c.ServerTimeout.Seconds())
	}
	return j
}

// describe describes the machine to a person.
func (c Config) describe() string {
	if c.Xen == NoXen {
		return fmt.Sprintf("%s, Linux of %s, %d CPUs, %d MiB", c.Mode, c.Release, c.PCPUs, c.MemoryMiB)
	}
	xen := c.Xen + " of " + c.Release
	if c.Scheduler != "" {
		xen += " (" + c.Scheduler + ")"
	}
	return fmt.Sprintf("%s, Xen %s, %d CPUs, %d MiB, %d %s DomUs", c.Mode, xen, c.PCPUs, c.MemoryMiB, c.DomUs, c.Guest)
}
