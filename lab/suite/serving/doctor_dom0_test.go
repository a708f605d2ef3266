// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"strings"
	"testing"

	"github.com/vlibos/vlibos/lab/suite/host"
)

// Without a master, doctor and call report what the module's presence means.
func TestDoctorAndCallReportTheModule(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		words  string
	}{
		{[]string{"doctor"}, 0, "module    revision 4"},
		{[]string{"call", "--reservation", "1", "1", "libm.so.6", "cos", "--sig", "f64(f64)", "0.5"}, 15, "not told that domain 1 listens"},
	} {
		if out, status := host.Command(t, "vlibmaster", tt.args...); status != tt.status || !strings.Contains(out, tt.words) {
			t.Errorf("%v: status %d, want %d with %q:\n%s", tt.args, status, tt.status, tt.words, out)
		}
	}
	if out := strings.Join(strings.Fields(host.Run(t, "xl", "info")), " "); !strings.Contains(out, "xen_scheduler : null") {
		t.Errorf("the scheduler's name for tools is not that of the null scheduler:\n%s", out)
	}
}
