// SPDX-License-Identifier: Apache-2.0

package decision

import (
	"strings"
	"testing"
)

func TestRecordsHaveEachSizeAndTheGrowth(t *testing.T) {
	records, err := Records(strings.NewReader(`module.decision.2 500 instructions, x1.00
{"reservations":2,"instructions":500}
{"reservations":1024,"instructions":1500}
`))
	if err != nil || len(records) != 3 {
		t.Fatalf("%+v, %v", records, err)
	}
	if r := records[1]; r.Name != "module.decision.1024" || r.Value != 1500 || r.Target != nil {
		t.Errorf("%+v", r)
	}
	if r := records[2]; r.Name != "module.decision.growth" || r.Value != 3 || *r.Target != 10 {
		t.Errorf("%+v", r)
	}
	for _, text := range []string{"", `{"reservations":2,"instructions":500}`, "{"} {
		if _, err := Records(strings.NewReader(text)); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}
