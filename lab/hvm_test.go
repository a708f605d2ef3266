// SPDX-License-Identifier: Apache-2.0

//go:build lab

package lab_test

import (
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab"
)

// onEmulated are the tests of lab/suite/hvm that need an emulated drive.
const onEmulated = "TestEmulatedDriveReads"

// TestHVM boots firmware and device models in emulation, which takes minutes: `make test
// SUITE=hvm`. Later runs resume the machines.
func TestHVM(t *testing.T) {
	c := lab.Config{Release: "trixie", Guest: lab.HVM, DomUs: 2, Timeout: time.Hour}
	t.Run("PV drivers", func(t *testing.T) {
		these(t, c, func(_, test string) bool { return test != onEmulated }, "lab/suite/hvm")
	})
	c.DomUs, c.DomUKernelArgs = 1, "xen_emul_unplug=unnecessary"
	t.Run("emulated drive", func(t *testing.T) {
		these(t, c, func(_, test string) bool { return test == onEmulated }, "lab/suite/hvm")
	})
}
