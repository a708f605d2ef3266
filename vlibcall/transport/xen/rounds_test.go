// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

func TestRoundsEndWhenThereIsNothingToLookAt(t *testing.T) {
	var left, looks atomic.Int32
	r := &rounds{every: time.Millisecond, f: func() bool { looks.Add(1); return left.Add(-1) > 0 }}
	for range 3 {
		looks.Store(0)
		left.Store(5)
		r.need()
		r.need()
		testkit.Eventually(t, "all is looked at", func() bool { return left.Load() == 0 })
		time.Sleep(10 * time.Millisecond)
		if n := looks.Load(); n != 5 {
			t.Errorf("%d rounds, want 5", n)
		}
	}
	r.close()
	looks.Store(0)
	r.need()
	time.Sleep(10 * time.Millisecond)
	if looks.Load() != 0 {
		t.Error("a round after close")
	}
}
