// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

func review(t *testing.T, m *Master) {
	t.Helper()
	if err := m.Review(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// statusOf is the status of one domain.
func statusOf(t *testing.T, m *Master, name string) api.Status {
	t.Helper()
	all := list(t, m)
	i := slices.IndexFunc(all, func(s api.Status) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("%q is not in %+v", name, all)
	}
	return all[i]
}

// on fails unless the host has a domain on the reservation with that name.
func on(t *testing.T, m *Master, h *fakeHost, name, id string) {
	t.Helper()
	if s := statusOf(t, m, name); s.On() != id || s.Problem != "" || s.Waits || h.adopted[s.ID] != id {
		t.Errorf("%+v, host %v, want it on domain %s", s, h.adopted, id)
	}
}

// without fails unless the reservation visibly does not fit, and the host has
// nothing for it.
func without(t *testing.T, m *Master, h *fakeHost, name string) {
	t.Helper()
	s := statusOf(t, m, name)
	if _, ok := h.adopted[s.ID]; ok || !s.Waits || s.On() == "" || !strings.Contains(s.Problem, "not admitted") {
		t.Errorf("%+v, host %v, want it without its reservation", s, h.adopted)
	}
}

// A domain is its number as long as it lives, with any handle.
func TestNewHandleStaysAdopted(t *testing.T) {
	for _, ref := range []string{"uuid-web", "another", "web", "1"} {
		h, dir := newHost(domain("1", "web", 0)), t.TempDir()
		m := open(t, h, dir)
		adopt(t, m, "web", 10*ms, 100*ms)
		h.all[0].UUID = "another"
		review(t, m)
		on(t, m, h, "web", "1")
		again := adopt(t, m, "web", 20*ms, 100*ms)
		if s := list(t, m); len(s) != 1 || again.ID != firstReservation {
			t.Errorf("%+v", s)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		m = open(t, h, dir)
		on(t, m, h, "web", "1")
		if _, err := m.Release(t.Context(), ref); err != nil || len(h.adopted) != 0 {
			t.Errorf("release %s: %v, host %v", ref, err, h.adopted)
		}
	}
}

// A domain that a command released stays released, with any handle.
func TestReleasedByHandStaysSoUnderANewHandle(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	if err := m.Configure(t.Context(), []api.Reservation{reservation("web", 10*ms, 100*ms)}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Release(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	h.all[0].UUID = "another"
	review(t, m)
	if len(h.adopted) != 0 {
		t.Errorf("host %v", h.adopted)
	}
}

// A domain that is being destroyed has another handle, and its recreated
// successor has the old one: that one waits until the number is free.
func TestReservationFollowsTheUUIDWhenTheDomainIsGone(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 10*ms, 100*ms)
	h.all[0].UUID = "dying"
	h.all = append(h.all, domain("2", "web", 0))
	review(t, m)
	on(t, m, h, "web", "1")
	if _, err := m.Reserve(t.Context(), reservation("2", ms, 100*ms)); !errors.Is(err, host.ErrNotAllowed) {
		t.Errorf("two domains on one reservation: %v", err)
	}
	h.all = h.all[1:]
	review(t, m)
	on(t, m, h, "web", "2")
}

// Another domain with the same number is not the earlier one.
func TestNumberGivenAgainIsAnotherDomain(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	a := adopt(t, m, "web", 10*ms, 100*ms)
	h.all[0].Generation = 1
	delete(h.adopted, a.ID) // it went with its domain
	review(t, m)
	on(t, m, h, "web", "1") // it has the UUID
	h.all[0] = domain("1", "other", 0)
	h.all[0].Generation = 2
	delete(h.adopted, a.ID)
	review(t, m)
	if s := statusOf(t, m, "web"); s.On() != "" || len(h.adopted) != 0 {
		t.Errorf("%+v, host %v", s, h.adopted)
	}
}

// A reservation that the host has lost is noticed when it is read, and made
// again.
func TestLostReservationIsMadeAgain(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	a := adopt(t, m, "web", 10*ms, 100*ms)
	delete(h.adopted, a.ID)
	list(t, m)
	review(t, m)
	on(t, m, h, "web", "1")
}

func TestNameIsFollowed(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 10*ms, 100*ms)
	h.all[0].Name = "shop"
	review(t, m)
	on(t, m, h, "shop", "1")
	if _, err := m.Release(t.Context(), "shop"); err != nil {
		t.Error(err)
	}
}

// A domain that moves onto a full CPU runs without its reservation, which
// counts nowhere, and gets it again when there is room, whatever makes it.
func TestMovedOntoAFullCPU(t *testing.T) {
	h, dir := newHost(domain("1", "web", 0), domain("2", "db", 1)), t.TempDir()
	m := open(t, h, dir)
	adopt(t, m, "web", 60*ms, 100*ms)
	adopt(t, m, "db", 60*ms, 100*ms)
	h.all[1].CPUs = []int{0}
	review(t, m)
	on(t, m, h, "web", "1")
	without(t, m, h, "db")
	adopt(t, m, "web", 70*ms, 100*ms) // it does not count
	review(t, m)
	without(t, m, h, "db")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open(t, h, dir) // a domain that had room keeps it
	on(t, m, h, "web", "1")
	without(t, m, h, "db")
	adopt(t, m, "web", 20*ms, 100*ms)
	review(t, m)
	on(t, m, h, "db", "2")
	h.all[0].CPUs, h.all[1].CPUs = []int{1}, []int{1}
	review(t, m)
	on(t, m, h, "web", "1")
	adopt(t, m, "web", 30*ms, 100*ms)
	h.all[1].CPUs = []int{0}
	review(t, m)
	on(t, m, h, "db", "2")
}

// Domains that exchange places do not block each other.
func TestDomainsChangePlaces(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 1))
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 60*ms, 100*ms)
	adopt(t, m, "db", 60*ms, 100*ms)
	h.all[0].CPUs, h.all[1].CPUs = []int{1}, []int{0}
	review(t, m)
	on(t, m, h, "web", "1")
	on(t, m, h, "db", "2")
}

// Domains whose CPUs cannot be determined keep their reservations, and report
// the reason.
func TestDomainWhoseCPUsAreNotKnown(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	a := adopt(t, m, "web", 10*ms, 100*ms)
	h.all[0].CPUs, h.all[0].Err = nil, errors.New("its pool is gone")
	review(t, m)
	if s := statusOf(t, m, "web"); s.Problem != "its pool is gone" || h.adopted[a.ID] != "1" || !slices.Equal(s.CPUs, []int{0}) {
		t.Errorf("%+v, host %v", s, h.adopted)
	}
	if _, err := m.Reserve(t.Context(), reservation("web", ms, 100*ms)); err == nil {
		t.Error("adopted on unknown CPUs")
	}
	adopt(t, m, "db", 10*ms, 100*ms)
	h.all[0].CPUs, h.all[0].Err = []int{0}, nil
	review(t, m)
	on(t, m, h, "web", "1")
}

// Of two configured domains that do not both fit, the later one is listed with
// the reason, and adopted at the first review after the other one's release.
func TestConfiguredDomainWaitsForRoom(t *testing.T) {
	h, dir := newHost(domain("1", "web", 0)), t.TempDir()
	m := open(t, h, dir)
	both := []api.Reservation{reservation("web", 80*ms, 100*ms), reservation("db", 80*ms, 100*ms)}
	configured := func() {
		t.Helper()
		if err := m.Configure(t.Context(), both); err != nil {
			t.Fatal(err)
		}
	}
	configured()
	h.all = append(h.all, domain("2", "db", 0))
	review(t, m)
	on(t, m, h, "web", "1")
	without(t, m, h, "db")
	configured() // the same configuration is not an error
	without(t, m, h, "db")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m = open(t, h, dir) // nor does it stop the next master
	configured()
	on(t, m, h, "web", "1")
	without(t, m, h, "db")
	if _, err := m.Release(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	review(t, m)
	on(t, m, h, "db", "2")
	if s := list(t, m); len(s) != 1 || s[0].Origin != api.FromFile {
		t.Errorf("%+v", s)
	}
	// A later configuration that does not fit is refused as a whole.
	more := append(both[:1:1], reservation("db", 90*ms, 100*ms))
	if err := m.Configure(t.Context(), more); !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("%v", err)
	}
	on(t, m, h, "db", "2")
}

// The first configuration of a master is accepted whatever domains run: their
// earlier reservations are no reason to refuse it.
func TestFirstConfigurationThatDoesNotFitWaits(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	adopt(t, m, "db", 30*ms, 100*ms)
	if err := m.Configure(t.Context(), []api.Reservation{reservation("web", 80*ms, 100*ms)}); err != nil {
		t.Fatal(err)
	}
	without(t, m, h, "web")
	on(t, m, h, "db", "2")
	if _, err := m.Release(t.Context(), "db"); err != nil {
		t.Fatal(err)
	}
	review(t, m)
	on(t, m, h, "web", "1")
}

// A configured name that no domain has is listed, from the first configuration
// on.
func TestMisspelledDomainIsListedAsAbsent(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "twin", 0), domain("3", "twin", 0))
	m := open(t, h, t.TempDir())
	if err := m.Configure(t.Context(), []api.Reservation{reservation("wbe", 8*ms, 100*ms), reservation("twin", ms, 50*ms)}); err != nil {
		t.Fatal(err)
	}
	s := statusOf(t, m, "wbe")
	if !s.Absent || s.On() != "" || s.Budget != 8*ms || s.Origin != api.FromFile || s.Problem != errAbsent.Error() || s.Class != host.Batch {
		t.Errorf("%+v", s)
	}
	if s := statusOf(t, m, "twin"); !s.Absent || !strings.Contains(s.Problem, "use a number or UUID: 2") {
		t.Errorf("%+v", s)
	}
	h.all = append(h.all, domain("4", "wbe", 0))
	review(t, m)
	on(t, m, h, "wbe", "4")
	h.all = h.all[:3]
	review(t, m)
	if s := statusOf(t, m, "wbe"); s.Absent || s.On() != "" || len(list(t, m)) != 2 {
		t.Errorf("it existed once: %+v", list(t, m))
	}
}

// One entry whose use cannot be read is a problem of that entry only.
func TestOneEntrysFailureIsNotTheLists(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 10*ms, 100*ms)
	adopt(t, m, "db", 10*ms, 100*ms)
	h.broken = map[string]error{"1": errors.New("set the weight of domain 1: invalid argument")}
	all, err := m.List(t.Context())
	if err == nil || len(all) != 2 || !strings.Contains(all[0].Problem, "invalid argument") || all[1].Problem != "" || all[1].Foreground != 7 {
		t.Errorf("%+v, %v", all, err)
	}
}
