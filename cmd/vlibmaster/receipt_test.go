// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// A receipt shows what is known of the cache and of memory, and nothing else of them.
func TestReceiptShowsWhatIsKnown(t *testing.T) {
	for _, tt := range []struct {
		cost      transport.Cost
		has, lack string
	}{
		{transport.Cost{}, "foreground", "third-level"},
		{transport.Cost{Occupied: 3 << 19, OccupiedKnown: true}, "fills        1.5 MiB  of the third-level cache", "moves"},
		{transport.Cost{MovedKnown: true}, "moves        0 B", "fills"},
	} {
		r := &outcome{series: &series{receipt: &vlibcall.Receipt{Wall: time.Millisecond, Cost: &tt.cost}}}
		var text strings.Builder
		if err := r.printReceipt(&text, &callOptions{receipt: true}); err != nil || !strings.Contains(text.String(), tt.has) || strings.Contains(text.String(), tt.lack) {
			t.Errorf("%+v: %v\n%s", tt.cost, err, text.String())
		}
	}
}
