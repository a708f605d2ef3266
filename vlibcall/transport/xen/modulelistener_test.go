// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"io/fs"
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
	l.inbox.l = l
	l.module = &moduleListener{listen: func(s vlib.Served) (uint32, error) {
		said = append(said, s)
		return called, nil
	}}
	e := &serverEndpoint{inbox: &l.inbox, port: 5}
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

// A server that may not listen waits for events without a hypercall at each turn,
// and asks again after a while, and for each new channel.
func TestRefusedServerAsksSeldom(t *testing.T) {
	asked := 0
	l := &Listener{byPort: make(map[evtchn.Port]*serverEndpoint), byID: make(map[channelID]*serverEndpoint)}
	l.module = &moduleListener{listen: func(vlib.Served) (uint32, error) {
		asked++
		return 0, fs.ErrPermission
	}}
	turns := func(n, want int) {
		t.Helper()
		for range n {
			if e, err := l.awaitCall(time.Time{}); e != nil || err != nil {
				t.Fatalf("%v, %v", e, err)
			}
		}
		if asked != want {
			t.Errorf("asked %d times after %d more turns, want %d", asked, n, want)
		}
	}
	turns(skipped+1, 1)
	turns(1, 2)
	turns(1, 2)
	l.attaching.close()
	e := &serverEndpoint{inbox: &l.inbox, id: 1, port: 5}
	if err := l.add(e); err != nil {
		t.Fatal(err)
	}
	turns(1, 3)
}
