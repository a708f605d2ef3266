// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// In counted mode Dom0 has a CPU of its own, and all DomUs share the other. The shares
// below depend on it.
func TestDom0AndDomUsHaveTheirOwnCPUs(t *testing.T) {
	out, err := exec.Command("xl", "vcpu-list").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var pins []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 6 && f[0] != "Name" {
			pins = append(pins, f[0]+" "+f[2]+" "+f[6]) // domain, vCPU, hard affinity
		}
	}
	if want := []string{"Domain-0 0 0", "vlib1 0 1", "vlib2 0 1"}; !slices.Equal(pins, want) {
		t.Errorf("domains, vCPUs, pinned CPUs: %q, want %q", pins, want)
	}
}
