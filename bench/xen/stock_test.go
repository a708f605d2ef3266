// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"bytes"
	"strings"
	"testing"
)

// Each row of the table is what was measured of that reservation.
func TestStockTableHasARowForEachReservation(t *testing.T) {
	s := Samples{sampleForeground: {10, 9.9, 40.1, 10, 9.8, 5.3}, sampleBackground: {89, 0, 0, 0.1, 0.3, 4.9}}
	records, err := s.ofStock(schedCredit, "a machine")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Value < 0.5 || r.Value > 1.01 {
			t.Errorf("%s: %v of the budget", r.Name, r.Value)
		}
	}
	var out bytes.Buffer
	if err := StockTable(&out, records); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| credit, alone | 10 ms | 100 ms | 10.0 % | 89.0 % |", "| credit | 40 ms | 100 ms | 40.1 % | 0.0 % |", "| credit | 1 ms | 10 ms | 5.3 % | 4.9 % |",
	} {
		if !strings.Contains(out.String(), row+"\n") {
			t.Errorf("no row %q in\n%s", row, &out)
		}
	}
	if _, err := (Samples{}).ofStock(schedCredit, ""); err == nil {
		t.Error("a table without samples")
	}
}
