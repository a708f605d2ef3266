// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// hvm is a machine that starts a guest, and has memory for two more domains. The guest
// boots firmware and a device model in emulation, which takes minutes: `make test
// SUITE=hvm`. Later runs resume the machine.
func hvm(xen string) lab.Config {
	return lab.Config{
		Xen: xen, Release: "trixie", Guest: lab.HVM, DomUs: 1, DomUKernelArgs: "xen_emul_unplug=unnecessary",
		MemoryMiB: 2300, XenArgs: "dom0_mem=1280M,max:1280M",
		Add:         []lab.File{{Host: "../bin/vlib-server", Guest: "/tests/vlib-server"}, {Host: "../bin/vlib-worker", Guest: "/tests/vlib-worker"}},
		BootTimeout: 80 * time.Minute, Timeout: 95 * time.Minute,
	}
}

// TestHVM runs on the distribution's Xen.
func TestHVM(t *testing.T) {
	these(t, hvm(lab.StockXen), func(_, test string) bool { return !strings.HasPrefix(test, "TestModule") }, "lab/suite/hvm")
}

// TestHVMWithModule needs the source of Xen 4.20, from the archive or by XEN_SOURCE.
func TestHVMWithModule(t *testing.T) {
	inDom0(t, hvm(lab.VlibXen), "lab/suite/hvm")
}
