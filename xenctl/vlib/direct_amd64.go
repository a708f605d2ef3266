// SPDX-License-Identifier: Apache-2.0

package vlib

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Direct is the module as used from user mode of a PVH or HVM guest, by an
// instruction of the CPU. The module accepts from there only operations whose
// arguments are values.
type Direct struct {
	amd bool // the instruction is VMMCALL, not VMCALL
}

// OpenDirect is Open without a device, for a guest whose Xen handles the
// instruction. Elsewhere the error is [ErrUnsupported]: another hypervisor
// would handle the instruction, or it would end the program.
func OpenDirect() (*Direct, error) {
	const op = "open without a device"
	if err := servesInstruction("/"); err != nil {
		return nil, opError(op, nowhere, err)
	}
	d := &Direct{amd: cpuVendorAMD()}
	if _, err := d.Version(); err != nil {
		return nil, err
	}
	return d, nil
}

// servesInstruction returns why the instruction must not be executed, from the
// kernel's files below root: the kernel knows how it was started.
func servesInstruction(root string) error {
	read := func(name string) (string, error) {
		b, err := os.ReadFile(filepath.Join(root, "sys/hypervisor", name))
		return strings.TrimSpace(string(b)), err
	}
	hypervisor, err := read("type")
	if errors.Is(err, fs.ErrNotExist) || err == nil && hypervisor != "xen" {
		return fmt.Errorf("%w: this is not a guest of Xen", ErrUnsupported)
	}
	if err != nil {
		return err
	}
	switch guest, err := read("guest_type"); {
	case err != nil:
		return fmt.Errorf("cannot determine the kind of this guest (%w): use Open", err)
	case guest != "PVH" && guest != "HVM":
		return fmt.Errorf("%w in a %s guest, whose hypercalls are the kernel's: use Open", ErrUnsupported, guest)
	}
	return nil
}

// Version is the version of the module's interface. It is an error if this
// package has another.
func (d *Direct) Version() (uint32, error) {
	version, err := d.values(opVersion, 0, 0, 0)
	if err := judgeVersion(version, err); err != nil {
		return 0, err
	}
	return uint32(version), nil
}

// Listen is as that of [Module].
func (d *Direct) Listen(s Served) (port uint32, err error) {
	r, err := d.values(opListen, uint64(s.Port), s.flags(), s.Number)
	if err != nil {
		return 0, listenError("listen", err)
	}
	return uint32(r), nil
}

// Complete is as that of [Module].
func (d *Direct) Complete(s Served) error {
	_, err := d.values(opComplete, uint64(s.Port), s.flags(), s.Number)
	return listenError("complete", err)
}

func (d *Direct) values(cmd, a1, a2, a3 uint64) (uint64, error) {
	var r uint64
	if d.amd {
		r = vmmcall(hypercall, cmd, a1, a2, a3)
	} else {
		r = vmcall(hypercall, cmd, a1, a2, a3)
	}
	return result(r)
}

// result distinguishes Xen's negative errno from other results.
func result(r uint64) (uint64, error) {
	const mostErrno = 4095
	if errno := -r; errno-1 < mostErrno {
		return 0, unix.Errno(errno)
	}
	return r, nil
}

// vmmcall and vmcall make hypercall op. Xen may stop the domain in it, and
// repeat the instruction with other arguments when the domain continues.
//
//go:noescape
func vmmcall(op, a1, a2, a3, a4 uint64) uint64

//go:noescape
func vmcall(op, a1, a2, a3, a4 uint64) uint64

// cpuVendorAMD reports whether the CPU has AMD's virtualisation.
func cpuVendorAMD() bool
