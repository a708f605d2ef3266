// SPDX-License-Identifier: Apache-2.0

package master

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slices"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

const ms = time.Millisecond

func domain(id, name string, cpus ...int) host.Domain {
	return host.Domain{ID: id, UUID: "uuid-" + name, Name: name, CPUs: cpus}
}

func open(t *testing.T, p host.Host, dir string) *Master {
	t.Helper()
	m, err := Open(t.Context(), p, dir, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return m
}

// reservation is a request for a domain.
func reservation(ref string, budget, period time.Duration, class ...host.Class) api.Reservation {
	r := api.Reservation{Reservation: host.Domain{Name: ref}.On(rtsched.Task{Budget: budget, Period: period})}
	for _, c := range class {
		r.Class = c
	}
	return r
}

// listed are the reservations with one kind of holder.
func listed(t *testing.T, m *Master, kind host.Kind) []api.Status {
	t.Helper()
	all, _ := m.List(t.Context())
	return slices.DeleteFunc(all, func(s api.Status) bool { return s.Kind() != kind })
}

func adopt(t *testing.T, m *Master, ref string, budget, period time.Duration) api.Reservation {
	t.Helper()
	a, err := m.Reserve(t.Context(), reservation(ref, budget, period))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func list(t *testing.T, m *Master) []api.Status {
	t.Helper()
	all, err := m.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReservationIsChangedByAnyReference(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0, 1), domain("3", "db", 1), host.Domain{ID: "0", UUID: "0", Name: "Domain-0", CPUs: []int{0, 1}, Control: true})
	m := open(t, h, t.TempDir())
	a := adopt(t, m, "web", 10*ms, 100*ms)
	if h.adopted[a.ID] != "1" || a.Domain.UUID != "uuid-web" || a.ID != firstReservation {
		t.Errorf("%+v, host %v", a, h.adopted)
	}
	again := adopt(t, m, "UUID-web", 20*ms, 100*ms)
	if again.ID != a.ID || h.tasks[a.ID].Budget != 20*ms || len(h.adopted) != 1 {
		t.Errorf("changed: %+v, host %v", again, h.tasks)
	}
	for ref, want := range map[string]error{
		"nobody": host.ErrNoDomain, "": host.ErrNoDomain, "Domain-0": api.ErrControl, "0": api.ErrControl,
		"db": host.ErrNoDomain, // two with that name
	} {
		if _, err := m.Reserve(t.Context(), reservation(ref, ms, 100*ms)); !errors.Is(err, want) {
			t.Errorf("adopt %q: %v, want %v", ref, err, want)
		}
	}
	for _, tt := range [][2]time.Duration{{0, ms}, {-1, ms}, {2 * ms, ms}, {1, ms}, {1, 1}, {ms, 1 << 62}, {1 << 62, 1 << 62}} {
		if _, err := m.Reserve(t.Context(), reservation("1", tt[0], tt[1])); !errors.Is(err, rtsched.ErrRange) {
			t.Errorf("%v every %v: %v", tt[0], tt[1], err)
		}
	}
	if s := list(t, m); len(s) != 1 || s[0].Budget != 20*ms || s[0].Foreground != 7 || s[0].On() != "1" {
		t.Errorf("%+v", s)
	}
}

func TestRefusalNamesWhatWouldFit(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0), domain("3", "other", 1))
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 50*ms, 100*ms)
	_, err := m.Reserve(t.Context(), reservation("db", 80*ms, 200*ms))
	if err != nil {
		t.Fatal(err)
	}
	var r *host.Refusal
	_, err = m.Reserve(t.Context(), reservation("db", 99*ms, 200*ms))
	if !errors.As(err, &r) || !errors.Is(err, host.ErrNotAdmitted) || r.CPU != 0 || r.Most < 80*ms || r.Most >= 99*ms {
		t.Fatalf("%v: %+v", err, r)
	}
	if !strings.Contains(err.Error(), r.Most.String()) || !strings.Contains(err.Error(), "reserve for domain 2") {
		t.Errorf("%q", err)
	}
	if h.tasks[firstReservation+1].Budget != 80*ms {
		t.Error("the refusal changed the reservation")
	}
	adopt(t, m, "db", r.Most, 200*ms)
	adopt(t, m, "other", 90*ms, 100*ms) // on a CPU of its own
	// A shorter period goes first; the refusal names the reservation that would
	// miss.
	_, err = m.Reserve(t.Context(), reservation("web", 60*ms, 100*ms))
	if !errors.As(err, &r) || r.Name != "db" || !strings.Contains(err.Error(), "(db)") {
		t.Errorf("%v", err)
	}
}

func TestTryChangesNothing(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	if _, err := m.Try(t.Context(), []api.Reservation{reservation("web", 40*ms, 100*ms), reservation("db", 40*ms, 100*ms)}); err != nil {
		t.Error(err)
	}
	_, err := m.Try(t.Context(), []api.Reservation{reservation("web", 40*ms, 100*ms), reservation("db", 70*ms, 100*ms)})
	if !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("together: %v", err)
	}
	if len(h.adopted) != 0 || len(list(t, m)) != 0 {
		t.Errorf("host %v", h.adopted)
	}
}

func TestNextMasterFindsReservations(t *testing.T) {
	h, dir := newHost(domain("1", "web", 0), domain("2", "db", 0)), t.TempDir()
	m := open(t, h, dir)
	a := adopt(t, m, "web", 10*ms, 100*ms)
	adopt(t, m, "db", 20*ms, 100*ms)
	if _, err := Open(t.Context(), h, dir, slog.Default()); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second master: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	h.all = []host.Domain{domain("7", "web", 1)} // restarted, on another CPU; db is gone
	m = open(t, h, dir)
	s := list(t, m)
	if len(s) != 2 || s[0].On() != "7" || s[0].ID != a.ID || s[0].CPUs[0] != 1 || s[1].On() != "" {
		t.Errorf("%+v", s)
	}
	if h.adopted[a.ID] != "7" {
		t.Errorf("host %v", h.adopted)
	}
	if _, err := m.Release(t.Context(), "db"); err != nil {
		t.Errorf("one that does not run: %v", err)
	}
	if _, err := m.Release(t.Context(), "db"); !errors.Is(err, api.ErrNotAdopted) {
		t.Errorf("twice: %v", err)
	}
	if _, err := m.Release(t.Context(), "7"); err != nil || len(h.adopted) != 0 {
		t.Errorf("%v, host %v", err, h.adopted)
	}
}

func TestReservationFollowsItsDomain(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	a := adopt(t, m, "web", 10*ms, 100*ms)
	h.all = nil
	review := func() {
		t.Helper()
		if err := m.Review(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	review()
	if s := list(t, m); s[0].On() != "" {
		t.Errorf("gone: %+v", s)
	}
	h.all = []host.Domain{domain("2", "web", 0)}
	review()
	if h.adopted[a.ID] != "2" {
		t.Errorf("host %v", h.adopted)
	}
	h.all[0].ID = "3"
	m.host = &refusing{h}
	review()
	if s := list(t, m); s[0].Problem == "" {
		t.Errorf("%+v: no problem", s)
	}
	m.host = h
	review()
	if s := list(t, m); s[0].Problem != "" || h.adopted[a.ID] != "3" {
		t.Errorf("%+v, host %v", s, h.adopted)
	}
}

type refusing struct{ *fakeHost }

func (r *refusing) Reserve(context.Context, host.Reservation) error {
	return errors.New("not now")
}

func TestAFailedAdoptionLeavesWhatWas(t *testing.T) {
	h, dir := newHost(domain("1", "web", 0)), t.TempDir()
	m := open(t, h, dir)
	m.host = &refusing{h}
	if _, err := m.Reserve(t.Context(), reservation("web", 10*ms, 100*ms)); err == nil {
		t.Fatal("adopted")
	}
	if s := list(t, m); len(s) != 0 {
		t.Errorf("%+v", s)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "state.json")); err != nil || strings.Contains(string(b), "web") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestBrokenStateIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), newHost(), dir, slog.Default()); err == nil || !strings.Contains(err.Error(), "state.json") {
		t.Errorf("%v", err)
	}
	open(t, newHost(), t.TempDir())
}

func TestRunRenewsTheLease(t *testing.T) {
	h := newHost()
	m := open(t, h, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 3*reviewEvery)
	defer cancel()
	beats := 0
	beat := func() error { beats++; return nil }
	if err := m.Run(ctx, beat); err != nil || h.renewed.Load() < 2 || beats == 0 || beats > int(h.renewed.Load()) {
		t.Errorf("%v, renewed %d times, %d beats", err, h.renewed.Load(), beats)
	}
}

func TestConfigurationIsTakenAsAWhole(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	configure := func(wishes ...api.Reservation) error { return m.Configure(t.Context(), wishes) }
	review := func() {
		t.Helper()
		if err := m.Review(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	adopt(t, m, "db", 10*ms, 100*ms)
	if err := configure(reservation("web", 20*ms, 100*ms), reservation("later", 30*ms, 100*ms)); err != nil {
		t.Fatal(err)
	}
	if len(h.adopted) != 2 {
		t.Fatalf("host %v", h.adopted)
	}
	h.all = append(h.all, domain("3", "later", 0))
	review()
	if s := list(t, m); len(s) != 3 || s[0].Origin != api.FromCommand || s[1].Origin != api.FromFile || s[2].Origin != api.FromFile || h.adopted[s[2].ID] != "3" {
		t.Errorf("%+v, host %v", s, h.adopted)
	}
	// The configuration applies as a whole, or not at all.
	if err := configure(reservation("web", 5*ms, 100*ms), reservation("later", 95*ms, 100*ms)); !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("too much: %v", err)
	}
	if s := list(t, m); len(s) != 3 || s[1].Budget != 20*ms || s[2].Budget != 30*ms {
		t.Errorf("%+v", s)
	}
	// A command's change holds until the next configuration.
	if _, err := m.Release(t.Context(), "later"); err != nil {
		t.Fatal(err)
	}
	adopt(t, m, "web", 6*ms, 100*ms)
	review()
	if s := list(t, m); len(s) != 2 || s[1].Budget != 6*ms || s[1].Origin != api.FromCommand {
		t.Errorf("%+v", s)
	}
	if err := configure(reservation("later", 70*ms, 100*ms)); err != nil {
		t.Fatal(err)
	}
	if err := configure(); err != nil {
		t.Fatal(err)
	}
	if s := list(t, m); len(s) != 2 || s[0].Name != "db" || s[1].Name != "web" || len(h.adopted) != 2 {
		t.Errorf("%+v, host %v", s, h.adopted)
	}
}
