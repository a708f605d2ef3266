// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"slices"
	"testing"

	"github.com/vlibos/vlibos/evtchn"
)

// A server says that it is done with what it was told of or has found a request
// in, and with nothing that it only looked at.
func TestDoneWithWhatWasServed(t *testing.T) {
	var said []uint32
	called := uint32(5)
	l := &Listener{byPort: make(map[evtchn.Port]*serverEndpoint)}
	l.ear = &ear{listen: func(served uint32, _ bool) (uint32, error) {
		said = append(said, served)
		return called, nil
	}}
	e := &serverEndpoint{l: l, port: 5}
	l.byPort[5] = e
	hear := func(want *serverEndpoint) {
		t.Helper()
		got, err := l.hear()
		if got != want || want == nil && !errors.Is(err, evtchn.ErrInterrupted) || want != nil && err != nil {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
	}
	if l.at(5) != e { // an event came by it
		t.Fatal("not found")
	}
	hear(e) // there was no request: done with nothing
	hear(e) // told of a call, found nothing: done with it
	l.ear.served = 0
	if err := e.Bill(); err != nil { // an event came by it, and a request was there
		t.Fatal(err)
	}
	called = 9
	hear(nil) // of a channel that is closed
	called = 5
	hear(e)
	if want := []uint32{0, 5, 5, 9}; !slices.Equal(said, want) {
		t.Errorf("said to be done with %v, want %v", said, want)
	}
}
