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

// Direct is the module, reached from a PVH or HVM guest's user mode by an
// instruction of the CPU. The module takes from there what passes values alone.
type Direct struct {
	amd bool // it is VMMCALL, not VMCALL
}

// OpenDirect is Open without a device, for a guest whose Xen serves the
// instruction. Elsewhere that is [ErrUnsupported]: the instruction would be
// another hypervisor's, or the end of the program.
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

// servesInstruction says why the instruction must not be executed, from what
// the kernel below root says: it knows how it was started.
func servesInstruction(root string) error {
	read := func(name string) (string, error) {
		b, err := os.ReadFile(filepath.Join(root, "sys/hypervisor", name))
		return strings.TrimSpace(string(b)), err
	}
	hypervisor, err := read("type")
	if errors.Is(err, fs.ErrNotExist) || err == nil && hypervisor != "xen" {
		return fmt.Errorf("%w: this is no guest of Xen", ErrUnsupported)
	}
	if err != nil {
		return err
	}
	switch guest, err := read("guest_type"); {
	case err != nil:
		return fmt.Errorf("what kind of guest this is, is not known (%w): use Open", err)
	case guest != "PVH" && guest != "HVM":
		return fmt.Errorf("%w in a %s guest, whose hypercalls are the kernel's: use Open", ErrUnsupported, guest)
	}
	return nil
}

// Version is the module's of the interface; an error if this package has
// another.
func (d *Direct) Version() (uint32, error) {
	version, err := d.values(opVersion, 0, 0, 0)
	if err := judgeVersion(version, err); err != nil {
		return 0, err
	}
	return uint32(version), nil
}

// Listen is that of [Module].
func (d *Direct) Listen(s Served) (port uint32, err error) {
	r, err := d.values(opListen, uint64(s.Port), s.flags(), s.Number)
	if err != nil {
		return 0, listenError("listen", err)
	}
	return uint32(r), nil
}

// Complete is that of [Module].
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

// result tells Xen's negative errno from its other answers.
func result(r uint64) (uint64, error) {
	const mostErrno = 4095
	if errno := -r; errno-1 < mostErrno {
		return 0, unix.Errno(errno)
	}
	return r, nil
}

// vmmcall and vmcall make hypercall op. Xen may stop the domain in it, and let
// the instruction run again with other arguments when the domain goes on.
//
//go:noescape
func vmmcall(op, a1, a2, a3, a4 uint64) uint64

//go:noescape
func vmcall(op, a1, a2, a3, a4 uint64) uint64

// cpuVendorAMD says whether the CPU has AMD's virtualisation.
func cpuVendorAMD() bool
