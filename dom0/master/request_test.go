// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/rtsched"
)

// asks is what a VM asks for; a budget of 0 is not understood.
func asks(uuid string, budget time.Duration) api.Reservation {
	if budget == 0 {
		return reservation(uuid, 0, 0)
	}
	return reservation(uuid, budget, 100*ms, host.Batch)
}

// request repeats requests, and returns the answers.
func request(t *testing.T, m *Master, want ...api.Reservation) []api.Status {
	t.Helper()
	answers, err := m.Request(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	return answers
}

func TestRequestsOfVMsAreCarriedOut(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	a := request(t, m, asks("uuid-web", 10*ms), asks("uuid-db", 20*ms))
	if a[0].Problem != "" || a[1].Problem != "" || h.adopted[a[0].ID] != "1" || h.adopted[a[1].ID] != "2" || a[0].Origin != api.FromXAPI {
		t.Fatalf("%+v", a)
	}
	again := request(t, m, asks("uuid-web", 10*ms), asks("uuid-db", 30*ms))
	if again[0].ID != a[0].ID || again[1].ID != a[1].ID || h.tasks[a[1].ID].Budget != 30*ms {
		t.Errorf("changed: %+v", again)
	}
	request(t, m, asks("uuid-db", 30*ms))
	if s := list(t, m); len(s) != 1 || s[0].Name != "db" {
		t.Errorf("without web: %+v", s)
	}
	request(t, m)
	if s := list(t, m); len(s) != 0 || len(h.adopted) != 0 {
		t.Errorf("without any: %+v", s)
	}
}

// A refused request changes neither its VM's reservation nor another's, and is carried
// out when there is room.
func TestRefusedRequestChangesNothing(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	request(t, m, asks("uuid-web", 60*ms), asks("uuid-db", 10*ms))
	refused := request(t, m, asks("uuid-web", 60*ms), asks("uuid-db", 60*ms))
	if r := refused[1]; !strings.Contains(r.Problem, "not admitted") || r.Budget != 10*ms || r.Waits || h.tasks[r.ID].Budget != 10*ms {
		t.Errorf("refused: %+v", r)
	}
	if r := request(t, m, asks("uuid-web", 60*ms), asks("uuid-db", 0))[1]; r.Problem != "" || r.Budget != 10*ms {
		t.Errorf("not understood: %+v", r)
	}
	if r := request(t, m, asks("uuid-web", 20*ms), asks("uuid-db", 60*ms))[1]; r.Problem != "" || h.tasks[r.ID].Budget != 60*ms {
		t.Errorf("with room: %+v", r)
	}
}

// The first request of a VM that does not fit waits, visibly.
func TestFirstRequestThatDoesNotFitWaits(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	r := request(t, m, asks("uuid-web", 60*ms), asks("uuid-db", 60*ms))[1]
	if !r.Waits || !strings.Contains(r.Problem, "not admitted") {
		t.Errorf("%+v", r)
	}
	request(t, m, asks("uuid-db", 60*ms))
	review(t, m)
	if s := list(t, m); len(s) != 1 || s[0].Problem != "" || h.adopted[s[0].ID] != "2" {
		t.Errorf("with room: %+v", s)
	}
}

// The configuration has precedence over a command, and a command over a VM, whichever
// comes first.
func TestFileAndCommandHavePrecedenceOverVMs(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	request(t, m, asks("uuid-web", 10*ms))
	file := asks("web", 20*ms)
	if err := m.Configure(t.Context(), []api.Reservation{file}); err != nil {
		t.Fatal(err)
	}
	r := request(t, m, asks("uuid-web", 10*ms))[0]
	if r.Origin != api.FromFile || r.Budget != 20*ms || !strings.Contains(r.Problem, "the configuration of vlibmaster has precedence: 20ms in every 100ms") {
		t.Errorf("%+v", r)
	}
	if err := m.Configure(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if r := request(t, m, asks("uuid-web", 10*ms))[0]; r.Origin != api.FromXAPI || r.Budget != 10*ms || r.Problem != "" {
		t.Errorf("without the file: %+v", r)
	}
	if _, err := m.Release(t.Context(), "web"); err == nil || !strings.Contains(err.Error(), "xe vm-param-remove uuid=uuid-web") {
		t.Errorf("release: %v", err)
	}
	if _, err := m.Reserve(t.Context(), asks("web", 30*ms)); err != nil {
		t.Fatal(err)
	}
	if r := request(t, m, asks("uuid-web", 10*ms))[0]; r.Origin != api.FromCommand || r.Budget != 30*ms || !strings.Contains(r.Problem, "'vlibmaster release web'") {
		t.Errorf("with a command: %+v", r)
	}
	if _, err := m.Release(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	if r := request(t, m, asks("uuid-web", 10*ms))[0]; r.Origin != api.FromXAPI {
		t.Errorf("after the release: %+v", r)
	}
}

// A configured name that a VM has only by now is the configuration's.
func TestConfiguredNameOfALaterVMHasPrecedence(t *testing.T) {
	h := newHost()
	m := open(t, h, t.TempDir())
	if err := m.Configure(t.Context(), []api.Reservation{asks("web", 20*ms)}); err != nil {
		t.Fatal(err)
	}
	renamed := domain("1", "web", 0)
	renamed.Name = "old"
	h.all = []host.Domain{renamed}
	request(t, m, asks("uuid-web", 10*ms))
	h.all = []host.Domain{domain("1", "web", 0)}
	request(t, m, asks("uuid-web", 10*ms))
	review(t, m)
	if s := list(t, m); len(s) != 1 || s[0].Origin != api.FromFile || s[0].Budget != 20*ms || s[0].Problem != "" {
		t.Errorf("%+v", s)
	}
}

// A rename, a new domain number, another handle for a while and a restart of the master
// change nothing else. Requests come again when XAPI answers.
func TestRequestedReservationFollowsItsVM(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	id := request(t, m, asks("uuid-web", 10*ms))[0].ID
	moved := domain("1", "web", 0)
	moved.ID, moved.Generation, moved.Name = "7", 2, "renamed"
	h.all = []host.Domain{moved}
	review(t, m)
	if h.adopted[id] != "7" {
		t.Fatalf("a new domain: %v", h.adopted)
	}
	moved.UUID = "deadbeef"
	h.all = []host.Domain{moved}
	review(t, m)
	if a := request(t, m, asks("uuid-web", 10*ms))[0]; a.ID != id || a.Problem != "" || h.adopted[id] != "7" {
		t.Errorf("another handle: %+v", a)
	}
	dir := m.state.dir
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	moved.UUID = "uuid-web"
	h.all = []host.Domain{moved}
	m = open(t, h, dir)
	if s := list(t, m); len(s) != 1 || s[0].Origin != api.FromXAPI || s[0].Problem != "" {
		t.Errorf("before XAPI answers: %+v", s)
	}
	if a := request(t, m, asks("uuid-web", 10*ms))[0]; a.ID != id || a.Problem != "" {
		t.Errorf("after XAPI answers: %+v", a)
	}
}

// A VM whose domain is not there yet has no entry, and no reason that changes with other
// domains.
func TestRequestOfAStartingVMIsRepeated(t *testing.T) {
	h := newHost(domain("2", "db", 0))
	m := open(t, h, t.TempDir())
	if a := request(t, m, asks("uuid-web", 10*ms))[0]; a.ID != 0 || a.Problem != errStarting.Error() {
		t.Errorf("%+v", a)
	}
	h.all = append(h.all, domain("1", "web", 0))
	if a := request(t, m, asks("uuid-web", 10*ms))[0]; a.ID == 0 || a.Problem != "" {
		t.Errorf("%+v", a)
	}
}

// A VM that serves calls asks for a reservation that is charged for them.
func TestVMAsksForAReservationOfItsCalls(t *testing.T) {
	h := newPayHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	w := api.Reservation{Name: "uuid-web"}
	w.Task = rtsched.Task{Budget: 10 * ms, Period: 100 * ms}
	w.Callees = []host.Callee{{Domain: host.Domain{Name: "uuid-web"}, Listens: true}}
	a := request(t, m, w)[0]
	if a.Problem != "" || h.pays[a.ID] != "1true" {
		t.Errorf("%+v, %v", a, h.pays)
	}
	request(t, m, asks("uuid-web", 10*ms))
	if s := list(t, m); len(s) != 1 || s[0].Kind() != host.KindDomain {
		t.Errorf("%+v", s)
	}
}

// A start is tried on the CPUs to which the VM will be pinned, and not at all if the
// configuration has a reservation for it.
func TestStartOfAVMIsTriedWhereItWillRun(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("3", "other", 1))
	m := open(t, h, t.TempDir())
	adopt(t, m, "web", 60*ms, 100*ms)
	start := asks("uuid-db", 60*ms)
	start.Name, start.Origin = "db", api.FromXAPI
	if _, err := m.Try(t.Context(), []api.Reservation{start}); !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("on all CPUs: %v", err)
	}
	start.CPUs = []int{1}
	if trial, err := m.Try(t.Context(), []api.Reservation{start}); err != nil || !slices.Equal(trial.CPUs, []int{1}) {
		t.Errorf("on its CPU: %+v, %v", trial, err)
	}
	start.CPUs = nil
	if err := m.Configure(t.Context(), []api.Reservation{reservation("db", 10*ms, 100*ms)}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Try(t.Context(), []api.Reservation{start}); err != nil {
		t.Errorf("with the configuration's: %v", err)
	}
}
