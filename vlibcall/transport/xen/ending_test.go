// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"testing"
)

// finishing is an ending and the requests that it finishes.
func finishing() (*ending, chan uint64) {
	finished := make(chan uint64, 100)
	return &ending{finish: func(request uint64) error {
		finished <- request
		return nil
	}}, finished
}

// A server that answers and never listens again is not charged for any longer:
// the client ends the call, once, each time that it stops calling.
func TestAnsweredCallIsPaidNoLonger(t *testing.T) {
	w, finished := finishing()
	for request := uint64(1); request <= 3; request++ {
		w.watch(request)
		if got := <-finished; got != request {
			t.Errorf("request %d is ended, want %d", got, request)
		}
	}
	w.close()
	if len(finished) != 0 {
		t.Errorf("ended twice: %d", <-finished)
	}
}

// While calls follow one another none costs an additional hypercall: only the
// last one is ended.
func TestOnlyTheLastAnswerIsEnded(t *testing.T) {
	w, finished := finishing()
	const last = 1000
	for request := uint64(1); request <= last; request++ {
		w.watch(request)
	}
	for got := uint64(0); got != last; {
		next := <-finished // an earlier one, if this thread was delayed
		if next <= got {
			t.Fatalf("request %d is ended after %d", next, got)
		}
		got = next
	}
}

func TestCloseEndsTheLastAnswer(t *testing.T) {
	w, finished := finishing()
	w.watch(7)
	w.close()
	if got := <-finished; got != 7 {
		t.Errorf("request %d is ended, want 7", got)
	}
	w.watch(8) // a call that is closed while under way
	if len(finished) != 0 {
		t.Errorf("request %d is ended after the channel", <-finished)
	}
}

// A busy reservation is freed of calls whose answers this process has.
func TestAnswersOfAReservationAreEnded(t *testing.T) {
	all := endings{of: make(map[uint32]map[*ending]struct{})}
	one, ends := finishing()
	other, otherEnds := finishing()
	all.add(5, one)
	all.add(6, other)
	if all.end(5) {
		t.Error("nothing was answered, and something ended")
	}
	one.watch(3)
	other.watch(4)
	all.end(5)
	if got := <-ends; got != 3 {
		t.Errorf("request %d is ended, want 3", got)
	}
	all.remove(5, one)
	all.remove(6, other)
	if all.end(6) || len(all.of) != 0 {
		t.Errorf("a channel that is gone is still there: %v", all.of)
	}
	other.close()
	if got := <-otherEnds; got != 4 {
		t.Errorf("request %d is ended, want 4", got)
	}
}
