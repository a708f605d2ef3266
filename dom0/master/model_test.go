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

// served has a domain's device model as that process, which ended if that says so.
func served(d host.Domain, pid int, ended bool) host.Domain {
	d.Work.Helpers = []host.Helper{
		{Name: "qemu", Model: true, Members: host.Members{PID: pid, Start: uint64(pid)}, Ended: ended},
		{Name: "1.xvda-0", Members: host.Members{PID: 80, TID: 80, Start: 80}},
	}
	return d
}

func withModel(r api.Reservation) api.Reservation {
	r.DeviceModel = true
	return r
}

// newModelHost is a host with device models: process 7 runs on CPU 0, process 8 on
// CPUs 0 and 1.
func newModelHost(domains ...host.Domain) *fakeHost {
	h := newReservingHost(domains...)
	h.can.DeviceModels = true
	return h
}

func TestDeviceModelIsAdmittedWhereItRuns(t *testing.T) {
	h := newModelHost(served(domain("1", "web", 1), 7, false), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	if _, err := m.Reserve(t.Context(), reservation("db", 60*ms, 100*ms)); err != nil {
		t.Fatal(err)
	}
	_, err := m.Reserve(t.Context(), withModel(reservation("web", 50*ms, 100*ms)))
	if !errors.Is(err, host.ErrNotAdmitted) || !strings.Contains(err.Error(), "device model") || !strings.Contains(err.Error(), "CPU 0") {
		t.Errorf("beside 60 %% of the device model's CPU: %v", err)
	}
	if _, err := m.Reserve(t.Context(), withModel(reservation("web", 20*ms, 100*ms))); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Reserve(t.Context(), reservation("db", 75*ms, 100*ms)); !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("beside the device model: %v", err)
	}
	// Repeated without it, its CPU has room again.
	r, err := m.Reserve(t.Context(), reservation("web", 20*ms, 100*ms))
	if err != nil || r.DeviceModel || h.beside[r.ID] != nil {
		t.Errorf("without the device model: %+v, %v, %v", r, h.beside, err)
	}
	if _, err := m.Reserve(t.Context(), reservation("db", 75*ms, 100*ms)); err != nil {
		t.Error(err)
	}
}

func TestDomainWithoutADeviceModelIsRefusedOne(t *testing.T) {
	h := newModelHost(domain("1", "web", 1), with(4, served(domain("2", "db", 0, 1), 7, false)), served(domain("3", "old", 1), 7, true))
	m := open(t, h, t.TempDir())
	for _, ref := range []string{"web", "old"} {
		_, err := m.Reserve(t.Context(), withModel(reservation(ref, ms, 100*ms)))
		if !errors.Is(err, host.ErrNotAllowed) || !strings.Contains(err.Error(), "leave out --with-device-model") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, servers := range []int{2, host.AllVCPUs} {
		if _, err := m.Reserve(t.Context(), withModel(each(servers, reservation("db", ms, 100*ms)))); !errors.Is(err, host.ErrNotAllowed) {
			t.Errorf("%d servers: %v", servers, err)
		}
	}
	h.can.DeviceModels = false
	if _, err := m.Reserve(t.Context(), withModel(reservation("db", ms, 100*ms))); !errors.Is(err, host.ErrNotHere) {
		t.Errorf("a host without device models: %v", err)
	}
	if len(h.adopted) != 0 {
		t.Errorf("%v are adopted", h.adopted)
	}
}

func TestDeviceModelThatIsRestartedIsFollowed(t *testing.T) {
	h, dir := newModelHost(served(domain("1", "web", 1), 7, false)), t.TempDir()
	m := open(t, h, dir)
	r, err := m.Reserve(t.Context(), withModel(reservation("web", 20*ms, 100*ms)))
	if err != nil {
		t.Fatal(err)
	}
	now := func() api.Status {
		t.Helper()
		if err := m.Review(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := m.List(t.Context())
		if err != nil || len(all) != 1 || all[0].ID != r.ID || all[0].Problem != "" {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[0]
	}
	if s := now(); s.Unserved() || len(s.Beside) != 2 {
		t.Errorf("%+v", s)
	}
	h.all[0] = served(h.all[0], 7, true)
	if s := now(); !s.Unserved() || s.Beside != nil || !slices.Equal(m.entries[r.ID].beside, nil) {
		t.Errorf("the device model has ended: %+v", s)
	}
	h.all[0] = served(h.all[0], 8, false)
	if s := now(); s.Unserved() || host.Model(s.Beside).PID != 8 || !slices.Equal(m.entries[r.ID].beside, []int{0, 1}) {
		t.Errorf("another device model: %+v", s)
	}
	// The next master knows that the device model is to be on it.
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	h.beside[r.ID] = nil
	m = open(t, h, dir)
	if s := now(); !s.DeviceModel || s.Unserved() {
		t.Errorf("after a restart of the master: %+v", s)
	}
}
