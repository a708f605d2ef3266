// SPDX-License-Identifier: Apache-2.0

package master

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
)

// The lease waits for nothing that holds the master's lock, and a master that reviews
// nothing does not say that it is alive.
func TestLeaseIsRenewedWhileTheMasterIsLocked(t *testing.T) {
	h := newHost()
	m := open(t, h, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	beats := 0
	m.mu.Lock()
	go func() { done <- m.Run(ctx, func() error { beats++; return nil }) }()
	testkit.Eventually(t, "the lease is renewed three times", func() bool { return h.renewed.Load() >= 3 })
	cancel()
	m.mu.Unlock()
	if err := <-done; err != nil || beats > 1 {
		t.Errorf("%v, %d beats", err, beats)
	}
}

// A signal is the cause of the context's end, and no error of the master.
func TestSignalEndsRunWithoutAnError(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	m := open(t, newHost(), t.TempDir())
	beat := func() error {
		cancel(errors.New("terminated signal received"))
		return nil
	}
	if err := m.Run(ctx, beat); err != nil {
		t.Error(err)
	}
}

// unleased renews no lease.
type unleased struct{ *fakeHost }

func (unleased) Renew(time.Duration) error { return errors.New("no lease") }

// A lease that cannot be renewed ends the master.
func TestRunEndsWithoutALease(t *testing.T) {
	m := open(t, unleased{newHost()}, t.TempDir())
	if err := m.Run(t.Context(), func() error { return nil }); err == nil || err.Error() != "no lease" {
		t.Error(err)
	}
}

// saving counts how often the state was another when the host was told of something,
// and what it was told before that was saved.
type saving struct {
	*fakeHost
	file    string
	last    []byte
	writes  int
	unsaved []uint32
}

func (h *saving) look() {
	if now, err := os.ReadFile(h.file); err == nil && !bytes.Equal(now, h.last) {
		h.last = now
		h.writes++
	}
}

func (h *saving) Reserve(ctx context.Context, r host.Reservation) error {
	if h.look(); !bytes.Contains(h.last, fmt.Appendf(nil, "\"id\": %d", r.ID)) {
		h.unsaved = append(h.unsaved, r.ID)
	}
	return h.fakeHost.Reserve(ctx, r)
}

func (h *saving) Unreserve(ctx context.Context, r host.Reservation) error {
	h.look()
	return h.fakeHost.Unreserve(ctx, r)
}

// many are the domains of a host and what they ask for.
func many(n int) (all []host.Domain, want []api.Reservation) {
	for i := range n {
		d := domain(fmt.Sprint(i+1), fmt.Sprint("vm-", i), i)
		all, want = append(all, d), append(want, asks(d.UUID, 10*ms))
	}
	return all, want
}

// Entries are saved before the host is told, all new ones of a pass by one write, and
// those that end by another.
func TestManyEntriesAreSavedByOneWrite(t *testing.T) {
	const n = 50
	all, want := many(n)
	h := &saving{fakeHost: newHost(all...)}
	m := open(t, h, t.TempDir())
	h.file = m.state.file()
	counted := func(what string, most int) {
		t.Helper()
		h.look()
		if h.writes != most {
			t.Errorf("%s: %d writes, want %d", what, h.writes, most)
		}
		h.writes = 0
	}
	request(t, m, want...)
	counted("requests", 1)
	request(t, m)
	counted("no requests", 1)
	if err := m.Configure(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	counted("a configuration", 1)
	if err := m.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	counted("an empty configuration", 1)
	if len(h.unsaved) > 0 || len(h.adopted) > 0 {
		t.Errorf("told before they were saved: %v; left: %v", h.unsaved, h.adopted)
	}
}

// Nothing is told to the host that could not be saved.
func TestWhatCannotBeSavedIsNotToldToTheHost(t *testing.T) {
	all, want := many(3)
	h := newHost(all...)
	m := open(t, h, t.TempDir())
	dir := m.state.dir
	m.state.dir = dir + "/none"
	for _, a := range request(t, m, want...) {
		if !strings.Contains(a.Problem, "no such file") {
			t.Errorf("%+v", a)
		}
	}
	if len(h.adopted) != 0 || len(list(t, m)) != 0 {
		t.Errorf("host %v", h.adopted)
	}
	m.state.dir = dir
	if a := request(t, m, want...); a[2].Problem != "" || len(h.adopted) != 3 {
		t.Errorf("%+v", a)
	}
}

// full refuses, as a host does that places vCPUs.
type full struct {
	*fakeHost
	refuses bool
	told    int
}

func (h *full) Reserve(ctx context.Context, r host.Reservation) error {
	if h.told++; h.refuses {
		return &host.Refusal{Miss: rtsched.Miss{Task: r.Task}}
	}
	return h.fakeHost.Reserve(ctx, r)
}

// A refusal by the host is handled as one by the master's arithmetic: a first request
// waits, and is not written and told again with each look. A change is refused, and what
// was in force stays.
func TestRefusalOfTheHostIsOneOfTheMaster(t *testing.T) {
	h := &full{fakeHost: newHost(domain("1", "web", 0)), refuses: true}
	m := open(t, h, t.TempDir())
	a := request(t, m, asks("uuid-web", 10*ms))[0]
	if !a.Waits || !strings.Contains(a.Problem, "not admitted") || a.ID == 0 {
		t.Errorf("%+v", a)
	}
	saved, told := string(m.state.written), h.told
	for range 3 {
		if again := request(t, m, asks("uuid-web", 10*ms))[0]; again.ID != a.ID || again.Problem != a.Problem {
			t.Errorf("again: %+v", again)
		}
	}
	if h.told != told || string(m.state.written) != saved {
		t.Errorf("told %d times more, and the state is\n%s", h.told-told, m.state.written)
	}
	h.refuses = false
	review(t, m)
	if a := request(t, m, asks("uuid-web", 10*ms))[0]; a.Waits || a.Problem != "" || h.adopted[a.ID] != "1" {
		t.Errorf("with room: %+v", a)
	}
	h.refuses = true
	saved = string(m.state.written)
	if a := request(t, m, asks("uuid-web", 20*ms))[0]; a.Waits || !strings.HasPrefix(a.Problem, "not admitted") || a.Budget != 10*ms {
		t.Errorf("a change: %+v", a)
	}
	if string(m.state.written) != saved {
		t.Errorf("the state is\n%s", m.state.written)
	}
}

// A reservation with a server for each vCPU grows by all of them: another's shrink comes
// first, though one server alone would shrink more.
func TestServersOfAllVCPUsCountWhenRequestsAreOrdered(t *testing.T) {
	h := newHost(with(4, domain("1", "web", 0)), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	request(t, m, each(4, asks("uuid-web", 10*ms)), asks("uuid-db", 20*ms))
	a := request(t, m, each(host.AllVCPUs, asks("uuid-web", 20*ms)), asks("uuid-db", 10*ms))
	if a[0].Problem != "" || a[1].Problem != "" || a[0].Number() != 4 {
		t.Errorf("%+v", a)
	}
}

// admitting counts how often the arithmetic of admission begins.
type admitting struct {
	*fakeHost
	times int
}

func (h *admitting) Floor() (rtsched.Task, time.Duration) {
	h.times++
	return h.fakeHost.Floor()
}

// A review does not try again what was refused, as long as the same is reserved; and does
// as soon as anything ends, shrinks or moves.
func TestWaitingEntriesAreTriedWhenTheRoomChanges(t *testing.T) {
	h := &admitting{fakeHost: newHost(domain("1", "web", 0), domain("2", "db", 0), domain("3", "shop", 1))}
	m := open(t, h, t.TempDir())
	want := []api.Reservation{asks("uuid-web", 50*ms), asks("uuid-db", 60*ms), asks("uuid-shop", 60*ms)}
	request(t, m, want...)
	without(t, m, h.fakeHost, "db")
	review(t, m)
	h.times = 0
	review(t, m)
	if h.times != 0 {
		t.Errorf("admission began %d times", h.times)
	}
	var all []host.Domain
	for what, room := range map[string]func(){
		"another shrinks": func() { want[0] = asks("uuid-web", 30*ms) },
		"another moves":   func() { all[0].CPUs = []int{2} },
		"another ends":    func() { want = want[1:] },
		"it moves":        func() { all[1].CPUs = []int{2} },
		"it wants less":   func() { want[1] = asks("uuid-db", 20*ms) },
	} {
		h := &admitting{fakeHost: newHost(domain("1", "web", 0), domain("2", "db", 0), domain("3", "shop", 1))}
		m := open(t, h, t.TempDir())
		want = []api.Reservation{asks("uuid-web", 50*ms), asks("uuid-db", 60*ms), asks("uuid-shop", 60*ms)}
		all = h.all
		request(t, m, want...)
		review(t, m)
		without(t, m, h.fakeHost, "db")
		room()
		request(t, m, want...)
		review(t, m)
		review(t, m)
		if s := statusOf(t, m, "db"); s.Waits || h.adopted[s.ID] != "2" {
			t.Errorf("%s: %+v", what, s)
		}
	}
}
