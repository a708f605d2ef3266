// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package linux

import (
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/memory/resctrl"
	suite "github.com/vlibos/vlibos/lab/suite/host"
)

// Linux has no table of this processor's delays, which are powers of two: resctrl offers no
// bandwidth, and the caches all the same.
func TestPowersOfTwoAreNoBandwidth(t *testing.T) {
	mounted(t, "")
	l, err := resctrl.Layout(resctrl.Root)
	if err != nil || l.Bandwidth != nil || l.L3 == nil || l.L3.Bits != 12 {
		t.Errorf("%v, %v", l, err)
	}
	if text := read(t, "schemata"); strings.Contains(text, "MB:") {
		t.Errorf("the kernel offers %s", text)
	}
	out := suite.Run(t, "vlibmaster", "--host", "native", "doctor")
	t.Logf("\n%s", out)
	if !strings.Contains(out, "memory bandwidth: none") {
		t.Error("doctor does not say that no bandwidth is shared out")
	}
}
