// SPDX-License-Identifier: Apache-2.0

package master

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/throttle"
)

// fakeHost is a host that only records.
type fakeHost struct {
	can      host.Abilities
	all      []host.Domain
	on       map[int][]int     // CPUs of processes
	cpus     []int             // of the host; nil: not known
	adopted  map[uint32]string // reservation → domain
	pays     map[uint32]string // reservation → domain, and whether its server listens
	callees  map[uint32]host.Domain
	threads  map[uint32]host.Reservation
	freed    []string // domains that no reservation is charged for any more
	tasks    map[uint32]rtsched.Task
	spared   map[uint32]bool
	beside   map[uint32][]host.Helper // on the reservation of a domain
	fail     error
	broken   map[string]error // errors of reading the use of a domain
	renewed  atomic.Int32
	resumed  int
	reserved int   // calls of Reserve
	refuses  error // of Reserve
	cleared  []uint32
	stuck    string
	owned    error // set: another master owns the host
	notes    []string
}

func newHost(domains ...host.Domain) *fakeHost {
	return &fakeHost{
		all: domains, adopted: make(map[uint32]string), pays: make(map[uint32]string), callees: make(map[uint32]host.Domain), threads: make(map[uint32]host.Reservation),
		tasks: make(map[uint32]rtsched.Task), spared: make(map[uint32]bool), beside: make(map[uint32][]host.Helper),
	}
}

// newPayHost is a host that charges callees.
func newPayHost(domains ...host.Domain) *fakeHost {
	h := newHost(domains...)
	h.can = host.Abilities{Calls: true, Both: true, Stuck: true}
	return h
}

// newReservingHost is a host with threads.
func newReservingHost(domains ...host.Domain) *fakeHost {
	h := newHost(domains...)
	h.can = host.Abilities{Calls: true, Threads: true}
	h.on = map[int][]int{7: {0}, 8: {0, 1}}
	return h
}

func (h *fakeHost) Name() string        { return "test" }
func (h *fakeHost) Can() host.Abilities { return h.can }
func (h *fakeHost) Close() error        { return nil }
func (h *fakeHost) Own() error          { return h.owned }
func (h *fakeHost) Notes() []string     { return h.notes }

func (h *fakeHost) Floor() (rtsched.Task, time.Duration) {
	return rtsched.Task{Budget: ms, Period: 20 * ms}, 60 * time.Microsecond
}

func (h *fakeHost) Domains(context.Context) ([]host.Domain, error) { return h.all, h.fail }

func (h *fakeHost) Work(_ context.Context, d host.Domain) (host.Work, error) {
	w := d.Work
	w.CPU += time.Second
	w.Helpers = h.helpers(d.ID)
	return w, h.broken[d.ID]
}

// helpers are those of a domain of the list.
func (h *fakeHost) helpers(id string) []host.Helper {
	for _, d := range h.all {
		if d.ID == id {
			return d.Work.Helpers
		}
	}
	return nil
}

func (h *fakeHost) Facts(_ context.Context, d host.Domain) ([]host.Fact, error) {
	return []host.Fact{{Name: "weight", Value: "256"}}, h.broken[d.ID]
}

func (h *fakeHost) MemberCPUs(m host.Members) ([]int, error) {
	if cpus := h.on[m.PID]; cpus != nil {
		return cpus, nil
	}
	return nil, host.ErrNoMembers
}

func (h *fakeHost) Reserve(_ context.Context, r host.Reservation) error {
	h.reserved++
	if err := cmp.Or(h.fail, h.refuses); err != nil {
		return err
	}
	switch r.Kind() {
	case host.KindDomain:
		h.adopted[r.ID], h.spared[r.ID] = r.Domain.ID, r.Class == host.Critical
		if h.beside[r.ID] = nil; r.DeviceModel {
			h.beside[r.ID] = host.Ours(h.helpers(r.Domain.ID))
		}
	case host.KindThreads:
		if r.Resume {
			h.resumed++
		}
		if _, err := h.MemberCPUs(*r.Threads); err != nil {
			return err
		}
		h.threads[r.ID] = r
	default:
		h.pays[r.ID], h.callees[r.ID] = fmt.Sprint(r.Callees[0].ID, r.Callees[0].Listens), r.Callees[0].Domain
	}
	h.tasks[r.ID] = r.Task
	return nil
}

func (h *fakeHost) Unreserve(_ context.Context, r host.Reservation) error {
	if r.Kind() != host.KindNone {
		delete(h.adopted, r.ID)
		delete(h.threads, r.ID)
		return h.fail
	}
	if h.fail != nil {
		return h.fail
	}
	if was, ok := h.callees[r.ID]; ok {
		delete(h.pays, r.ID)
		delete(h.callees, r.ID)
		for _, other := range h.callees {
			if other.UUID == was.UUID {
				return nil
			}
		}
		h.freed = append(h.freed, was.ID)
	}
	return nil
}

func (h *fakeHost) Usage(_ context.Context, r host.Reservation) (host.Usage, error) {
	u := host.Usage{Foreground: 7, Left: h.tasks[r.ID].Budget}
	switch r.Kind() {
	case host.KindDomain:
		if h.adopted[r.ID] != r.Domain.ID {
			return host.Usage{}, host.ErrNoDomain
		}
		u.Beside = h.beside[r.ID]
		return u, h.broken[r.Domain.ID]
	case host.KindThreads:
		if r, ok := h.threads[r.ID]; !ok || h.on[r.Threads.PID] == nil {
			return host.Usage{}, host.ErrNoMembers
		}
		return u, nil
	}
	if h.pays[r.ID] == "" {
		return host.Usage{}, host.ErrNoDomain
	}
	return u, h.fail
}

func (h *fakeHost) Clear(_ context.Context, id uint32) error {
	h.cleared = append(h.cleared, id)
	return nil
}

func (h *fakeHost) Stuck(_ context.Context, d host.Domain) (bool, error) {
	return d.Name == h.stuck, nil
}

func (h *fakeHost) Throttle(context.Context, int, time.Duration, time.Duration) error {
	return host.ErrNotHere
}

func (h *fakeHost) CPUs() ([]int, error) {
	if h.cpus == nil {
		return nil, host.ErrNotHere
	}
	return h.cpus, nil
}

func (h *fakeHost) LatencySource([]int) (throttle.Source, error) { return nil, host.ErrNotHere }

func (h *fakeHost) Renew(time.Duration) error {
	h.renewed.Add(1)
	return nil
}
