// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package vlib

import (
	"fmt"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
)

// another prepares a further reservation for calls into a domain.
func (b *bench) another(t *testing.T, id uint32, domids ...uint16) {
	t.Helper()
	must(t, b.m.Reserve(id, time.Millisecond, 100*time.Millisecond))
	for _, d := range domids {
		must(t, b.m.Allow(d, id))
	}
}

func (b *bench) call(t *testing.T, domid uint16, id uint32) {
	t.Helper()
	_, err := b.m.Call(id, Request{domid, b.ports[uint32(domid)], 1}, 2*callTimeout)
	must(t, err)
}

// begun waits until a reservation's call is active, or done.
func (b *bench) begun(t *testing.T, id uint32) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("the call on reservation %d begins", id), func() bool {
		r, err := b.m.Reservation(id)
		must(t, err)
		return r.Call == CallActive || r.Call == CallDone
	})
}

// A call whose reservation is removed leaves the queue to the others.
func TestLabUnreserveStartsTheNext(t *testing.T) {
	b, domid, _ := ready(t)
	b.another(t, 6, domid)
	testkit.Eventually(t, "the server listens", func() bool {
		d, err := b.m.Domain(domid)
		must(t, err)
		return d.Listening
	})
	must(t, b.m.SetDomain(domid, Closed, 0)) // so that the first call stays active
	b.call(t, domid, 5)
	b.call(t, domid, 6)
	must(t, b.m.Unreserve(5), b.m.SetDomain(domid, 0, Closed))
	b.begun(t, 6)
}

// The same, where only the caller can report that the domain has finished.
func TestLabUnreserveReleasesAParkingDomain(t *testing.T) {
	b, domid, _ := ready(t)
	b.another(t, 6, domid)
	must(t, b.m.SetDomain(domid, Parks, Listens))
	b.call(t, domid, 5)
	must(t, b.m.Unreserve(5))
	b.call(t, domid, 6)
	b.begun(t, 6)
}

// One finish ends a reservation's abandoned calls in two domains, and both
// continue.
func TestLabFinishReleasesTwoDomains(t *testing.T) {
	b, first, _ := ready(t)
	second := uint16(b.domids[2])
	must(t, b.m.Allow(second, 5))
	b.another(t, 6, first)
	b.another(t, 7, second)
	for _, d := range []uint16{first, second} {
		must(t, b.m.SetDomain(d, Parks, Listens))
		b.call(t, d, 5)
		must(t, b.m.CancelAll(5))
	}
	b.call(t, first, 6)
	b.call(t, second, 7)
	must(t, b.m.FinishAll(5))
	b.begun(t, 6)
	b.begun(t, 7)
}

// The module does not wait for an abandoned call whose end no party will
// report.
func TestLabChangedWayToListenReleasesTheDomain(t *testing.T) {
	b, domid, _ := ready(t)
	b.another(t, 6, domid)
	must(t, b.m.SetDomain(domid, Parks, Listens))
	b.call(t, domid, 5)
	must(t, b.m.CancelAll(5), b.m.SetDomain(domid, Listens|Closed, Parks))
	b.call(t, domid, 6)
	b.begun(t, 6)
}
