// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package processor

import (
	"encoding/json"
	"os/exec"
	"testing"

	"github.com/vlibos/vlibos/dom0/selftest"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// The self-test passes the processor's counters: they count what its load does.
func TestSelftestPassesTheCounters(t *testing.T) {
	openBus(t, shortTurn)
	out, err := exec.Command("vlibmaster", "selftest", "--only", "counters", "--json").Output()
	host.Must(t, err)
	var r selftest.Report
	host.Must(t, json.Unmarshal(out, &r))
	if len(r.Results) != 1 || r.Results[0].Verdict != selftest.Passed {
		t.Errorf("%+v", r)
	}
	t.Logf("%+v", r.Results)
}
