// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// with is a domain with so many vCPUs.
func with(vcpus int, d host.Domain) host.Domain {
	d.VCPUs = vcpus
	return d
}

func each(n int, r api.Reservation) api.Reservation {
	r.Servers = n
	return r
}

// With a server for each vCPU a domain has more than one CPU, and the number
// stays when only the budget changes.
func TestReservationHasAServerForEachVCPU(t *testing.T) {
	h := newHost(with(4, domain("1", "web", 0, 1, 2, 3)))
	m := open(t, h, t.TempDir())
	r, err := m.Reserve(t.Context(), each(host.AllVCPUs, reservation("web", 50*ms, 100*ms)))
	if err != nil || r.Number() != 4 || r.Share() != 2 || r.Servings() != "4 x 50ms" || r.Whole().Budget != 200*ms {
		t.Fatalf("%+v, %v", r, err)
	}
	r, err = m.Reserve(t.Context(), reservation("web", 60*ms, 100*ms))
	if err != nil || r.Number() != 4 || r.Budget != 60*ms {
		t.Errorf("another budget: %+v, %v", r, err)
	}
	r, err = m.Reserve(t.Context(), each(1, reservation("web", 60*ms, 100*ms)))
	if err != nil || r.Number() != 1 || r.Servings() != "60ms" {
		t.Errorf("one server: %+v, %v", r, err)
	}
	// Two servers on each of two CPUs.
	h.all = []host.Domain{with(4, domain("1", "web", 0, 1))}
	if _, err := m.Reserve(t.Context(), each(4, reservation("web", 50*ms, 100*ms))); !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("100 %% of two CPUs and the floor: %v", err)
	}
	if _, err := m.Reserve(t.Context(), each(4, reservation("web", 40*ms, 100*ms))); err != nil {
		t.Error(err)
	}
}

func TestReservationWithMoreServersThanVCPUsWaitsWithTheReason(t *testing.T) {
	h, dir := newHost(with(2, domain("1", "web", 0, 1))), t.TempDir()
	m := open(t, h, dir)
	_, err := m.Reserve(t.Context(), each(3, reservation("web", ms, 100*ms)))
	if !errors.Is(err, host.ErrNotAdmitted) || !strings.Contains(err.Error(), "3 servers, and domain 1") {
		t.Errorf("three of two vCPUs: %v", err)
	}
	for _, n := range []int{-2, rtsched.MaxServers + 1} {
		if _, err := m.Reserve(t.Context(), each(n, reservation("web", ms, 100*ms))); !errors.Is(err, rtsched.ErrRange) {
			t.Errorf("%d servers: %v", n, err)
		}
	}
	want := each(2, reservation("web", ms, 100*ms))
	want.Origin = api.FromFile
	if err := m.Configure(t.Context(), []api.Reservation{want}); err != nil {
		t.Fatal(err)
	}
	// It is restarted with one vCPU, and then with two.
	h.all = []host.Domain{with(1, domain("2", "web", 0))}
	if err := m.Review(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := listed(t, m, host.KindDomain); len(s) != 1 || !s[0].Waits || !strings.Contains(s[0].Problem, "1 vCPUs") || len(h.adopted) != 0 {
		t.Errorf("with one vCPU: %+v", s)
	}
	h.all = []host.Domain{with(2, domain("3", "web", 0, 1))}
	if err := m.Review(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := listed(t, m, host.KindDomain); len(s) != 1 || s[0].Waits || s[0].Problem != "" || s[0].Number() != 2 {
		t.Errorf("with two again: %+v", s)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if s := listed(t, open(t, h, dir), host.KindDomain); len(s) != 1 || s[0].Number() != 2 {
		t.Errorf("the next master: %+v", s)
	}
}

// A host that places vCPUs decides itself whether a reservation fits somewhere.
func TestPlacingHostDecidesWhereAReservationFits(t *testing.T) {
	h := newHost(with(1, domain("1", "web", 1)), with(1, domain("2", "db", 1)))
	h.can.Places, h.cpus = true, []int{0, 1}
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 60*ms, 100*ms)
	adopt(t, m, "db", 60*ms, 100*ms)
	if _, err := m.Reserve(t.Context(), reservation("db", 99*ms, 100*ms)); !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("more than any CPU has: %v", err)
	}
	h.can.Places = false
	if _, err := m.Reserve(t.Context(), reservation("db", 61*ms, 100*ms)); !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("a host that does not place: %v", err)
	}
}

// vCPUs that the host places and a pin moves back before the next review look as they did
// when they were admitted. They are admitted again all the same.
func TestPlacedVCPUsAreAdmittedAgainAtTheNextReview(t *testing.T) {
	h := newHost(with(1, domain("1", "web", 1)))
	h.can.Places, h.cpus = true, []int{0, 1}
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 60*ms, 100*ms)
	for _, refusal := range []error{host.ErrNotAdmitted, nil} {
		h.refuses = refusal
		if err := m.Review(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all := listed(t, m, host.KindDomain); all[0].Waits != (refusal != nil) {
			t.Errorf("the host says %v: %+v", refusal, all[0])
		}
	}
	told := h.reserved
	for range 3 {
		if err := m.Review(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if h.reserved > told+1 {
		t.Errorf("told %d times that nothing has changed", h.reserved-told)
	}
}

// A vCPU that is unplugged is shown, and its budget stays promised for when it is plugged
// in again.
func TestUnpluggedVCPUKeepsItsBudget(t *testing.T) {
	h := newHost(with(4, domain("1", "web", 0, 1, 2, 3)), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	if _, err := m.Reserve(t.Context(), each(4, reservation("web", 50*ms, 100*ms))); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ unplugged, idle []int }{{nil, nil}, {[]int{2, 3}, []int{2, 3}}, {[]int{3}, []int{3}}, {nil, nil}} {
		h.all[0].Unplugged = tt.unplugged
		if err := m.Review(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := m.List(t.Context())
		if err != nil || all[0].Problem != "" || !slices.Equal(all[0].Idle(), tt.idle) || all[0].Number() != 4 {
			t.Errorf("without vCPUs %v: %+v, servers %v, %v", tt.unplugged, all[0], all[0].Idle(), err)
		}
		if _, err := m.Try(t.Context(), []api.Reservation{reservation("db", 60*ms, 100*ms)}); !errors.Is(err, host.ErrNotAdmitted) {
			t.Errorf("without vCPUs %v: another has their budget: %v", tt.unplugged, err)
		}
	}
	// With two servers, vCPU 2 is on the server of vCPU 0.
	r := each(2, reservation("web", ms, 100*ms))
	r.Domain.VCPUs, r.Domain.Unplugged = 4, []int{0, 1, 3}
	if got := r.Idle(); !slices.Equal(got, []int{1}) {
		t.Errorf("vCPU 2 alone is plugged in: servers %v are idle", got)
	}
}

func TestDomainWithoutACPUWaitsWithTheReason(t *testing.T) {
	h := newHost(with(2, domain("1", "web")))
	m := open(t, h, t.TempDir())
	_, err := m.Reserve(t.Context(), reservation("web", ms, 100*ms))
	if !errors.Is(err, host.ErrNotAdmitted) || !strings.Contains(err.Error(), "affinity") {
		t.Errorf("no vCPU has a CPU: %v", err)
	}
	h.all[0].CPUs = []int{1}
	if _, err := m.Reserve(t.Context(), reservation("web", ms, 100*ms)); err != nil {
		t.Fatal(err)
	}
	now := func(problem bool) {
		t.Helper()
		if err := m.Review(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := m.List(t.Context())
		if err != nil || (all[0].Problem != "") != problem || all[0].Waits != problem {
			t.Errorf("%+v, %v", all, err)
		}
	}
	h.all[0].CPUs, h.all[0].Unplugged = nil, []int{0, 1}
	now(true)
	h.all[0].CPUs, h.all[0].Unplugged = []int{1}, nil
	now(false)
}
