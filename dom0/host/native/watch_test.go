// SPDX-License-Identifier: Apache-2.0

package native

import (
	"testing"
	"time"
)

// What a sleeper has used when it is found awake is its own: as the time of others it would
// hide the same use of the next sleeper that wakes.
func TestUseOfASleeperThatWakesIsNoOthers(t *testing.T) {
	versions(t, func(t *testing.T, p *Host, _ Options) {
		d, _ := start(t, p, "bursts", "while :; do sleep 0.1; for i in 1 2 3 4 5 6 7 8 9 10; do "+burst+"; done; done")
		adopt(t, p, d, 1, 50*ms, 100*ms)
		woken, asleep, hidden := 0, false, time.Duration(0)
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
			if err := p.k.Do(ctx, func() {
				w := &p.k.watch
				if asleep && len(w.sleepers) == 0 {
					woken++
				}
				asleep = len(w.sleepers) > 0
				used, err := p.k.parent.usage()
				if err != nil {
					t.Error(err)
				}
				hidden = max(hidden, w.unknown-(used-w.known))
			}); err != nil {
				t.Fatal(err)
			}
		}
		if woken < 3 || hidden > watchSlack {
			t.Errorf("it woke %d times; %v of the next sleeper's use is hidden", woken, hidden)
		}
	})
}

// burst is some milliseconds of a shell's work.
const burst = "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done"
