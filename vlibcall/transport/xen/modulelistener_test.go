// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// A server reports the end of requests that it was told of or has found, and of
// nothing else.
func TestOnlyServedRequestsAreEnded(t *testing.T) {
	var said []vlib.Served
	called := uint32(5)
	l := &Listener{byPort: make(map[evtchn.Port]*serverEndpoint)}
	l.module = &moduleListener{listen: func(s vlib.Served) (uint32, error) {
		said = append(said, s)
		return called, nil
	}}
	e := &serverEndpoint{l: l, port: 5}
	l.byPort[5] = e
	await := func(want *serverEndpoint) {
		t.Helper()
		got, err := l.awaitCall(time.Time{})
		if got != want || want == nil && !errors.Is(err, evtchn.ErrInterrupted) || want != nil && err != nil {
			t.Fatalf("%v, %v, want %v", got, err, want)
		}
	}
	if l.at(5) != e { // an event of the channel
		t.Fatal("not found")
	}
	await(e) // there was no request: reports nothing
	await(e) // told of a call, found no request: reports its end
	l.module.served = vlib.Served{}
	for request := uint64(1); request <= 2; request++ { // an event of the channel, with requests
		if err := e.Begin(request); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.NotifyLate(); err != nil {
		t.Fatal(err)
	}
	called = 9
	await(nil) // a call of a closed channel
	called = 5
	await(e)
	if want := []vlib.Served{{}, {Port: 5}, {Port: 5, Number: 2, Signal: true}, {Port: 9}}; !slices.Equal(said, want) {
		t.Errorf("reported %v, want %v", said, want)
	}
}
