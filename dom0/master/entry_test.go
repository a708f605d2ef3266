// SPDX-License-Identifier: Apache-2.0

package master

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
)

// A rule for a domain that never existed is an entry with a reason, and in
// force when the domain comes.
func TestRuleOfAnAbsentDomainIsListed(t *testing.T) {
	h := newPayHost()
	m := open(t, h, t.TempDir())
	configure(t, m, rule("a", "web"))
	all := listed(t, m, host.KindNone)
	if len(all) != 1 || !all[0].Absent || all[0].Problem != errAbsent.Error() || all[0].On() != "" || all[0].Budget != 10*ms {
		t.Fatalf("%+v", all)
	}
	h.all = append(h.all, domain("1", "web", 0))
	review(t, m)
	if all := listed(t, m, host.KindNone); all[0].Absent || all[0].Problem != "" || all[0].On() != "1" || h.pays[all[0].ID] != "1false" {
		t.Errorf("%+v, host %v", all, h.pays)
	}
}

// A configuration's budget for a domain that does not run applies when it runs.
func TestStoppedDomainTakesTheNewBudget(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	configure(t, m, reservation("web", 10*ms, 100*ms))
	id := statusOf(t, m, "web").ID
	h.all = nil
	review(t, m)
	configure(t, m, reservation("web", 20*ms, 100*ms))
	h.all = []host.Domain{domain("2", "web", 0)}
	review(t, m)
	on(t, m, h, "web", "2")
	if s := statusOf(t, m, "web"); s.ID != id || h.tasks[id].Budget != 20*ms {
		t.Errorf("%+v, host %v", s, h.tasks)
	}
}

// A domain that is restarted with another UUID has the reservation that the
// configuration gives to its name, and no second one.
func TestConfiguredNameFollowsANewUUID(t *testing.T) {
	h := newPayHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	configure(t, m, reservation("web", 60*ms, 100*ms), rule("a", "web"))
	h.all[0].ID, h.all[0].UUID = "2", "another"
	review(t, m)
	on(t, m, h, "web", "2")
	if all := list(t, m); len(all) != 2 || all[1].On() != "2" || h.pays[all[1].ID] != "2false" {
		t.Errorf("%+v, host %v", all, h.pays)
	}
}

// Two tables for one domain are refused, at the first configuration too.
func TestTwoReferencesToOneDomainAreRefused(t *testing.T) {
	h := newHost(domain("1", "web", 0))
	m := open(t, h, t.TempDir())
	both := []api.Reservation{reservation("web", 10*ms, 100*ms), reservation("uuid-web", 20*ms, 100*ms)}
	if err := m.Configure(t.Context(), both); !errors.Is(err, host.ErrNotAllowed) || len(list(t, m)) != 0 {
		t.Errorf("%v, %+v", err, list(t, m))
	}
}

// The file of another version is refused; the error has its name and the
// remedy.
func TestStateOfAnotherVersionIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	for _, text := range []string{`{"adopted": []}`, `{"version": 4, "reservations": []}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), newHost(), filepath.Dir(file), slog.Default())
		if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The host is told of a recreated callee.
func TestCalleeOfThreadsIsFollowed(t *testing.T) {
	h := newReservingHost(domain("1", "db", 1))
	m := open(t, h, t.TempDir())
	id := reserve(t, m, threads(7, 10, "db")).ID
	h.all[0].ID, h.all[0].Generation = "2", 1
	review(t, m)
	if c := h.threads[id].Callees; len(c) != 1 || c[0].ID != "2" {
		t.Errorf("%+v", c)
	}
	h.all = nil
	review(t, m)
	if all := listed(t, m, host.KindThreads); len(all) != 1 || all[0].Problem != "" || len(h.threads[id].Callees) != 0 {
		t.Errorf("%+v, host %+v", all, h.threads[id])
	}
}

// The master ignores what a request says about the master's own data.
func TestRequestSaysNothingThatIsTheMasters(t *testing.T) {
	h := newHost(domain("1", "web", 0), domain("2", "db", 1))
	m := open(t, h, t.TempDir())
	r := reservation("web", 60*ms, 100*ms)
	r.ID, r.Waits, r.CPUs, r.Domain.ID, r.Domain.UUID, r.Origin = 7, true, []int{1}, "2", "uuid-db", api.FromFile
	if _, err := m.Reserve(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	on(t, m, h, "web", "1")
	if s := list(t, m); len(s) != 1 || s[0].ID != firstReservation || s[0].CPUs[0] != 0 || s[0].Origin != api.FromCommand || s[0].Domain.UUID != "uuid-web" {
		t.Errorf("%+v", s)
	}
	if r.Domain.ID != "2" {
		t.Error("the request was changed")
	}
}
