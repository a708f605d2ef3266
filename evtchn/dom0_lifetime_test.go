// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package evtchn

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

// Close, while one goroutine waits and others notify, lets no goroutine hang
// and none use a descriptor number that another file has by then.
func TestLabCloseUnblocksAndAffectsNoOtherFile(t *testing.T) {
	// The first file that a program opens adds two descriptors of the Go
	// runtime's poller.
	if err := open(t).Close(); err != nil {
		t.Error(err)
	}
	before := len(testkit.Descriptors())
	for range 50 {
		a, b := open(t), open(t)
		pa, pb := pair(t, a, b)
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				for b.Notify(pb) == nil {
				}
			})
		}
		users.Go(func() {
			for {
				if _, err := b.WaitUntil(time.Time{}); err != nil {
					if !errors.Is(err, os.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
		notify(t, a, pa)
		time.Sleep(time.Millisecond)
		var closers sync.WaitGroup
		for range 3 {
			closers.Go(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		closers.Wait()
		users.Wait()
		for name, err := range map[string]error{
			"notify": b.Notify(pb), "unmask": b.Unmask(pb), "unbind": b.Unbind(pb),
		} {
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
		if _, err := b.BindUnbound(0); !errors.Is(err, os.ErrClosed) {
			t.Errorf("bind after Close: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := len(testkit.Descriptors()); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestLabNotifyOfClosedPeerIsNoError(t *testing.T) {
	a, b := open(t), open(t)
	pa, pb := pair(t, a, b)
	if err := b.Unbind(pb); err != nil {
		t.Fatal(err)
	}
	notify(t, a, pa)
}

func TestLabHotPathAllocatesNothing(t *testing.T) {
	a, b := open(t), open(t)
	pa, pb := pair(t, a, b)
	deadline := soon()
	allocs := testing.AllocsPerRun(500, func() {
		_ = a.Notify(pa)
		if got, err := b.WaitUntil(deadline); err != nil || got != pb {
			t.Fatalf("port %d, %v", got, err)
		}
		_ = b.Unmask(pb)
		if _, err := b.WaitUntil(time.Now()); err == nil {
			t.Fatal("an event that was not sent")
		}
		b.Interrupt()
		if _, err := b.WaitUntil(time.Time{}); err == nil {
			t.Fatal("an event that was not sent")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a round", allocs)
	}
}

func TestLabRoundsLeaveNothing(t *testing.T) {
	before := len(testkit.Descriptors())
	for range 1000 {
		h, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		p, err := h.BindUnbound(0)
		if err != nil {
			t.Fatal(err) // ENOSPC when ports leak: there are 4,096
		}
		q, err := h.BindInterdomain(0, p)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Unbind(q); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := len(testkit.Descriptors()); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
