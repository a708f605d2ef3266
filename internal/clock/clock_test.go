// SPDX-License-Identifier: Apache-2.0

package clock

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

func TestSleepTakesTimeButNoCPUTime(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	now, used := Monotonic(), Thread()
	const slept = 20 * time.Millisecond
	if err := Sleep(t.Context(), slept); err != nil {
		t.Fatal(err)
	}
	took := Monotonic() - now
	if took < slept {
		t.Errorf("%v passed in %v", took, slept)
	}
	if cpu := Thread() - used; cpu < 0 || cpu > took-slept/2 {
		t.Errorf("a thread that slept %v of %v used %v", slept, took, cpu)
	}
	for begun := Thread(); Thread() == begun; {
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestEveryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	Every(ctx, time.Microsecond, func() {
		if n++; n == 3 {
			cancel()
		}
	})
	if n < 3 {
		t.Errorf("%d calls", n)
	}
}
