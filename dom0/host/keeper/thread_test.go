// SPDX-License-Identifier: Apache-2.0

package keeper

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/clock"
)

func TestThreadRunsWhatIsDueAndWhatIsAskedFor(t *testing.T) {
	var steps atomic.Int64
	due := make(chan struct{}, 100)
	l := new(thread)
	err := l.start(func() time.Duration {
		if steps.Add(1) <= 3 {
			due <- struct{}{}
			return clock.Monotonic() + time.Millisecond
		}
		return clock.Monotonic() + time.Hour
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		<-due
	}
	// It sleeps for an hour now, and answers anyway.
	ran := false
	if err := l.Do(t.Context(), func() { ran = true }); err != nil || !ran {
		t.Errorf("%v, ran %v", err, ran)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Do(gone, func() { t.Error("ran for a caller that had gone") }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if first, err := l.stop(); !first || err != nil {
		t.Errorf("%v, %v", first, err)
	}
	if first, err := l.stop(); first || err != nil {
		t.Errorf("again: %v, %v", first, err)
	}
	if err := l.Do(t.Context(), func() { t.Error("ran after the end") }); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}
