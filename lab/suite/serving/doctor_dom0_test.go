// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"strings"
	"testing"

	"github.com/vlibos/vlibos/lab/suite/host"
)

// TestModuleReported: what the module's presence means before there is a master.
func TestModuleReported(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		words  string
	}{
		{[]string{"doctor"}, 0, "module    revision 2"},
		{[]string{"call", "--reservation", "1", "1", "libm.so.6", "cos", "--sig", "f64(f64)", "0.5"}, 15, "not told that domain 1 listens"},
	} {
		if out, status := host.Command(t, "vlibmaster", tt.args...); status != tt.status || !strings.Contains(out, tt.words) {
			t.Errorf("%v: status %d, want %d with %q:\n%s", tt.args, status, tt.status, tt.words, out)
		}
	}
	if out := strings.Join(strings.Fields(host.Run(t, "xl", "info")), " "); !strings.Contains(out, "xen_scheduler : null") {
		t.Errorf("it is not the null scheduler's name that the module has for tools:\n%s", out)
	}
}
