// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
)

// hypercallProgram is the path of this test program in a DomU, where it asks Xen for its
// version and prints the major number.
const hypercallProgram = "/opt/hypercall"

func TestMain(m *testing.M) {
	if os.Args[0] != hypercallProgram {
		testkit.Main(m)
	}
	version, err := xenVersion()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(version >> 16)
}

// xenVersion makes the hypercall xen_version (Xen's public/version.h) through
// IOCTL_PRIVCMD_HYPERCALL (Linux' include/uapi/xen/privcmd.h).
func xenVersion() (int, error) {
	const (
		privcmdHypercall = 'P'<<8 | 48<<16
		opXenVersion     = 17
		cmdVersion       = 0
	)
	f, err := os.Open("/dev/xen/privcmd")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	call := [6]uint64{opXenVersion, cmdVersion}
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), privcmdHypercall, uintptr(unsafe.Pointer(&call)))
	runtime.KeepAlive(&call)
	if errno != 0 {
		return 0, fmt.Errorf("hypercall: %w", errno)
	}
	return int(r), nil
}
