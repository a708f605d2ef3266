// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// TestHVM boots firmware and a device model in emulation, which takes minutes: `make test
// SUITE=hvm`. Later runs resume the machine.
func TestHVM(t *testing.T) {
	inDom0(t, lab.Config{
		Release: "trixie", Guest: lab.HVM, DomUs: 1, Dom0VCPUs: 2, DomUKernelArgs: "xen_emul_unplug=unnecessary",
		BootTimeout: 80 * time.Minute, Timeout: 95 * time.Minute,
	}, "lab/suite/hvm")
}
