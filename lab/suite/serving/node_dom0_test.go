// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"regexp"
	"testing"

	"github.com/vlibos/vlibos/lab/suite/host"
)

// The CPU of the DomUs is in a node without memory, and Xen says so.
func TestTheDomainsNodeHasNoMemory(t *testing.T) {
	info := host.Run(t, "xl", "info", "-n")
	if !regexp.MustCompile(`(?m)^ *1: +0 +0 `).MatchString(info) {
		t.Errorf("node 1 has memory, or there is none:\n%s", info)
	}
	if !regexp.MustCompile(`(?m)^ *1: +[0-9]+ +[0-9]+ +1$`).MatchString(info) {
		t.Errorf("CPU 1 is not in node 1:\n%s", info)
	}
}
