// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package evtchn

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These tests run in the lab's Dom0 against the real device.

// soon bounds every wait that should succeed.
func soon() time.Time { return time.Now().Add(20 * time.Second) }

// shortly bounds every wait that should find nothing.
func shortly() time.Time { return time.Now().Add(200 * time.Millisecond) }

func open(t testing.TB) *Handle {
	t.Helper()
	h, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// pair connects two handles within Dom0, and takes the event of the binding.
func pair(t testing.TB, a, b *Handle) (pa, pb Port) {
	t.Helper()
	pa, err := a.BindUnbound(0)
	if err != nil {
		t.Fatal(err)
	}
	pb, err = b.BindInterdomain(0, pa)
	if err != nil {
		t.Fatal(err)
	}
	receive(t, b, pb)
	return pa, pb
}

func receive(t testing.TB, h *Handle, want Port) {
	t.Helper()
	got, err := h.WaitUntil(soon())
	if err != nil || got != want {
		t.Fatalf("port %d, %v; want port %d", got, err, want)
	}
	if err := h.Unmask(got); err != nil {
		t.Fatal(err)
	}
}

func silent(t *testing.T, h *Handle) {
	t.Helper()
	if port, err := h.WaitUntil(shortly()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("port %d, %v; want none", port, err)
	}
}

func notify(t testing.TB, h *Handle, port Port) {
	t.Helper()
	if err := h.Notify(port); err != nil {
		t.Fatal(err)
	}
}

func TestLabNotifyArrivesAtTheOtherEnd(t *testing.T) {
	a, b := open(t), open(t)
	pa, pb := pair(t, a, b)
	for range 100 {
		notify(t, a, pa)
		receive(t, b, pb)
		notify(t, b, pb)
		receive(t, a, pa)
	}
	silent(t, a)
	silent(t, b)
}

func TestLabPortStaysMaskedUntilUnmask(t *testing.T) {
	a, b := open(t), open(t)
	pa, pb := pair(t, a, b)
	notify(t, a, pa)
	if got, err := b.WaitUntil(soon()); err != nil || got != pb {
		t.Fatalf("port %d, %v", got, err)
	}
	notify(t, a, pa)
	notify(t, a, pa)
	silent(t, b)
	if err := b.Unmask(pb); err != nil {
		t.Fatal(err)
	}
	receive(t, b, pb) // events sent while masked arrive as one
	silent(t, b)
}

func TestLabPortsComeInOrder(t *testing.T) {
	a, b := open(t), open(t)
	var send, want []Port
	for range 2 * batch {
		pa, pb := pair(t, a, b)
		send, want = append(send, pa), append(want, pb)
	}
	slices.Reverse(send) // the order of sending, not of port numbers
	slices.Reverse(want)
	for _, p := range send {
		notify(t, a, p)
		time.Sleep(time.Millisecond) // the kernel orders by time of the interrupt
	}
	var got []Port
	for range want {
		p, err := b.WaitUntil(soon())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	if !slices.Equal(got, want) {
		t.Errorf("received %v\nwant     %v", got, want)
	}
}

func TestLabInterruptEndsOneWait(t *testing.T) {
	h := open(t)
	h.Interrupt()
	h.Interrupt()
	if _, err := h.WaitUntil(time.Time{}); !errors.Is(err, ErrInterrupted) {
		t.Fatalf("the wait after it: %v", err)
	}
	silent(t, h) // two interrupts ended one wait
	for range 100 {
		result := make(chan error)
		go func() {
			_, err := h.WaitUntil(time.Time{})
			result <- err
		}()
		h.Interrupt()
		if err := <-result; !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
	}
}

func TestLabInterruptKeepsEvents(t *testing.T) {
	a, b := open(t), open(t)
	pa, pb := pair(t, a, b)
	notify(t, a, pa)
	b.Interrupt()
	if _, err := b.WaitUntil(soon()); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	receive(t, b, pb)
}

func TestLabWaitEndsWithItsContext(t *testing.T) {
	a, b := open(t), open(t)
	pa, pb := pair(t, a, b)
	for range 50 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		if _, err := b.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		cancel()
	}
	// The cancelled waits leave nothing behind that would end a later one.
	silent(t, b)
	notify(t, a, pa)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if got, err := b.Wait(ctx); err != nil || got != pb {
		t.Fatalf("port %d, %v", got, err)
	}
}

func TestLabPastDeadlineOnlyLooks(t *testing.T) {
	a, b := open(t), open(t)
	pa, pb := pair(t, a, b)
	past := time.Now().Add(-time.Hour)
	if _, err := b.WaitUntil(past); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	notify(t, a, pa)
	time.Sleep(10 * time.Millisecond)
	if got, err := b.WaitUntil(past); err != nil || got != pb {
		t.Fatalf("port %d, %v", got, err)
	}
}

func TestLabSecondWaiterIsRefused(t *testing.T) {
	h := open(t)
	result := make(chan error)
	go func() {
		for {
			_, err := h.WaitUntil(time.Time{})
			if errors.Is(err, ErrBusy) {
				continue // the look below was faster
			}
			result <- err
			return
		}
	}()
	for {
		if _, err := h.WaitUntil(time.Now()); errors.Is(err, ErrBusy) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	h.Interrupt()
	if err := <-result; !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
}

func TestLabRefusedPortsAreErrors(t *testing.T) {
	a, b := open(t), open(t)
	if _, err := a.BindInterdomain(0, 4000); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a port that is not allocated: %v", err)
	}
	if _, err := a.BindInterdomain(999, 1); !errors.Is(err, unix.ESRCH) {
		t.Errorf("a domain that does not exist: %v", err)
	}
	// xenstored has bound it.
	if _, err := a.BindVIRQ(VIRQDomExc); !errors.Is(err, unix.EEXIST) {
		t.Errorf("a global virq that is bound already: %v", err)
	}
	pa, _ := pair(t, a, b)
	if err := b.Notify(pa); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("notify on another handle's port: %v", err)
	}
	if err := b.Unbind(pa); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("unbind another handle's port: %v", err)
	}
	if err := b.Unmask(pa); err != nil {
		t.Errorf("unmask another handle's port: %v", err)
	}
}

// A handle that is used for one binding after another, none of whose events is
// taken, receives events all the same after each Clear.
func TestLabClearedHandleReceivesAgain(t *testing.T) {
	a, b := open(t), open(t)
	for range 3 * batch {
		pa, err := a.BindUnbound(0)
		if err != nil {
			t.Fatal(err)
		}
		pb, err := b.BindInterdomain(0, pa) // with one event
		if err != nil {
			t.Fatal(err)
		}
		b.Interrupt()
		if err := errors.Join(b.Unbind(pb), a.Unbind(pa), b.Clear()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.WaitUntil(time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after Clear: %v", err)
	}
	pa, pb := pair(t, a, b)
	notify(t, a, pa)
	receive(t, b, pb)
	b.Interrupt()
	if _, err := b.WaitUntil(soon()); !errors.Is(err, ErrInterrupted) {
		t.Errorf("an interrupt after Clear: %v", err)
	}
}
