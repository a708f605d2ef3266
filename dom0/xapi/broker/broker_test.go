// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
)

func TestVMHasWhatItAsksFor(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budget=10ms", "period=100ms", "class=critical", "cache=wide")
	s.answered(web, `in force: 10ms in every 100ms, domain 5; cache class "wide"`)
	if all := s.list(); len(all) != 1 || all[0].Class != host.Critical || all[0].Origin != api.FromXAPI || s.host.budget("5") != 10*ms {
		t.Errorf("%+v", all)
	}
	s.ask(web, "budget=20ms", "class=")
	s.answered(web, "in force: 20ms")
	if all := s.list(); len(all) != 1 || all[0].Class != host.Batch || s.host.budget("5") != 20*ms {
		t.Errorf("changed: %+v", all)
	}
	s.ask(web, "vcpus=2")
	s.answered(web, "in force: 2 x 20ms in every 100ms")
	s.ask(web, "vcpus=")
	s.answered(web, "in force: 20ms")
	s.ask(web, "budget=", "period=", "cache=")
	s.answered(web, "")
	if all := s.list(); len(all) != 0 || s.host.budget("5") != 0 {
		t.Errorf("no longer asked for: %+v", all)
	}
}

// A wrong value is reported, leaves what was in force, and is its VM's affair alone.
func TestWrongValueIsReportedAndChangesNothing(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budget=10ms", "period=100ms")
	s.answered(web, "in force")
	for _, c := range []struct{ entry, says string }{
		{"budget=10", `not understood: budget: "10" is no time: write it as in "10ms", "1.5s" or "200us"; 10ms in every 100ms stays`},
		{"budget=\x1b[2J" + strings.Repeat("\u202e9", 1000), `not understood: budget: "\x1b[2J`},
		{"budget=200ms", "out of range"},
		{"budget=10ms", "in force: 10ms"},
		{"vcpus=0", "\"0\" vCPUs are out of range"},
		{"vcpus=", "in force"},
		{"class=best", "no such class: want one of batch, critical"},
		{"class=", "in force"},
		{"calls=yes", `calls: "yes": want charge or listens`},
		{"calls=", "in force"},
		{"cache=none", "no cache class"},
	} {
		s.ask(web, c.entry)
		s.answered(web, c.says)
		if got := s.xapi.Get("OpaqueRef:"+web, "vlibos:status"); strings.ContainsAny(got, "\x1b\u202e") || len(got) > 1024 {
			t.Errorf("status of %d bytes: %q", len(got), got)
		}
	}
	s.ask(db, "budget=10ms", "period=100ms")
	s.answered(db, "in force")
	if s.host.budget("5") != 10*ms || s.host.changes != 2 {
		t.Errorf("%v of web, %d changes", s.host.budget("5"), s.host.changes)
	}
	if n := strings.Count(s.log.String(), `request in XAPI is not understood" vm=`+web); n != 6 {
		t.Errorf("%d lines", n)
	}
}

func TestVMThatDoesNotFitIsAnsweredWithTheReason(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budget=60ms", "period=100ms")
	s.answered(web, "in force")
	s.ask(db, "budget=60ms", "period=100ms")
	s.answered(db, "not in force: not admitted: on CPU 0")
	s.ask(web, "budget=30ms")
	s.answered(db, "in force: 60ms")
	s.ask(web, "budget=90ms")
	s.answered(web, "30ms in every 100ms stays")
	if s.host.budget("5") != 30*ms || s.host.budget("6") != 60*ms {
		t.Errorf("%v, %v", s.host.budget("5"), s.host.budget("6"))
	}
}

func TestPrecedenceOfTheFileIsAnswered(t *testing.T) {
	s := newSite(t)
	if err := s.master.Configure(t.Context(), []api.Reservation{{Reservation: host.Domain{Name: "web"}.On(rtsched.Task{Budget: 5 * ms, Period: 50 * ms})}}); err != nil {
		t.Fatal(err)
	}
	s.ask(web, "budget=10ms", "period=100ms")
	s.answered(web, "not taken: the configuration of vlibmaster has precedence: 5ms in every 50ms")
	if s.host.budget("5") != 5*ms {
		t.Errorf("%v", s.host.budget("5"))
	}
}

// A copy has its original's status, and a VM that was migrated to a host without a master
// that of its source. A status of another host with the same name stays.
func TestOldAnswersAreRemoved(t *testing.T) {
	s := newSite(t)
	entries := map[string]string{"vlibos:budget": "10ms", "vlibos:period": "100ms", "vlibos:status": marked(s.name+"in force: of another time", xapitest.Host, time.Unix(0, 0))}
	copied := "aaaaaaaa-0000-0000-0000-000000000003"
	s.xapi.Add(xapitest.VM{UUID: copied, Name: "copy", Power: "Halted", Domid: -1, OtherConfig: entries})
	snapshot, elsewhere, foreign := "aaaaaaaa-0000-0000-0000-000000000004", "aaaaaaaa-0000-0000-0000-000000000005", "aaaaaaaa-0000-0000-0000-000000000006"
	s.xapi.Add(xapitest.VM{UUID: snapshot, Name: "snapshot", Power: "Halted", Domid: -1, OtherConfig: entries, Snapshot: true})
	s.xapi.Add(xapitest.VM{UUID: elsewhere, Name: "elsewhere", Power: "Running", Domid: 9, Host: xapitest.OtherHost, OtherConfig: entries})
	s.xapi.Add(xapitest.VM{UUID: foreign, Name: "foreign", Power: "Running", Domid: 9, Host: xapitest.OtherHost, OtherConfig: map[string]string{
		"vlibos:budget": "10ms", "vlibos:status": marked(s.name+"in force: there", "99999999-2222-3333-4444-555555555555", time.Now()),
	}})
	s.answered(copied, "")
	s.answered(elsewhere, "")
	s.ask(web, "budget=10ms", "period=100ms")
	s.answered(web, "in force")
	for _, uuid := range []string{snapshot, foreign} {
		if s.xapi.Get("OpaqueRef:"+uuid, "vlibos:status") == "" {
			t.Errorf("the status of %s is gone", uuid)
		}
	}
	// The VM is migrated away: its reservation here has ended.
	s.xapi.Change("OpaqueRef:"+web, func(v *xapitest.VM) { v.Host = xapitest.OtherHost })
	testkit.Eventually(t, "it has no reservation here", func() bool { return len(s.list()) == 0 })
	s.answered(web, "")
}

// While XAPI is gone, reservations stay, also over a rename and a new domain number.
func TestReservationsStayWhileXAPIIsGone(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budget=10ms", "period=100ms")
	s.answered(web, "in force")
	s.xapi.Change("OpaqueRef:"+web, func(v *xapitest.VM) { v.Name = "renamed in XAPI" })
	testkit.Eventually(t, "it has XAPI's name", func() bool {
		s.review()
		return s.list()[0].Name == "renamed in XAPI"
	})
	s.xapi.Fail(xapitest.Fault{Name: "HOST_IN_EMERGENCY_MODE"})
	s.xapi.NewCoordinator()
	testkit.Eventually(t, "it is seen", func() bool { return s.broker.Status().Problem != "" })
	s.host.run(domain("7", web, "web"), domain("6", db, "db"))
	testkit.Eventually(t, "the new domain has it", func() bool {
		s.review()
		return s.host.budget("7") == 10*ms
	})
	if n := strings.Count(s.log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings", n)
	}
	s.xapi.Fail(xapitest.Fault{})
	s.answered(web, "domain 7")
}

func TestSwitchingXAPIOffEndsItsReservations(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budget=10ms", "period=100ms")
	s.answered(web, "in force")
	off := s.config
	off.Off = true
	s.move(off)
	testkit.Eventually(t, "it has ended", func() bool { return len(s.list()) == 0 })
	s.answered(web, "")
	if x := s.broker.Status(); x.Followed {
		t.Errorf("%+v", x)
	}
	s.move(s.config)
	testkit.Eventually(t, "it is back", func() bool { return len(s.list()) == 1 })
	failed := errors.New("the rest of the configuration")
	if err := s.broker.Move(off, func() error { return failed }); !errors.Is(err, failed) || !s.broker.Status().Followed {
		t.Errorf("%v", err)
	}
}

func TestHookRefusesAStartOnlyIfThatIsConfigured(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budget=60ms", "period=100ms")
	s.answered(web, "in force")
	s.host.run(domain("5", web, "web"))
	s.xapi.Change("OpaqueRef:"+db, func(v *xapitest.VM) { v.Power, v.Host, v.Domid = "Halted", "", -1 })
	s.ask(db, "budget=60ms", "period=100ms")
	testkit.Eventually(t, "the request is known", func() bool {
		for _, v := range s.broker.Status().Asked {
			if v.UUID == db && v.Asked["period"] == "100ms" {
				return true
			}
		}
		return false
	})
	start := api.Hook{Hook: api.HookStart, UUID: strings.ToUpper(db)}
	if err := s.broker.Hook(t.Context(), start); err != nil {
		t.Errorf("switched off: %v", err)
	}
	on := s.config
	on.RefuseStarts = true
	s.move(on)
	if err := s.broker.Hook(t.Context(), start); !errors.Is(err, host.ErrNotAdmitted) {
		t.Errorf("switched on: %v", err)
	}
	s.xapi.Change("OpaqueRef:"+db, func(v *xapitest.VM) { v.Power, v.Host, v.Domid = "Running", xapitest.HostRef, 6 })
	testkit.Eventually(t, "a reboot is not refused", func() bool { return s.broker.Hook(t.Context(), start) == nil })
	for _, h := range []api.Hook{{Hook: "vm-post-migrate", UUID: db}, {Hook: api.HookStart, UUID: "unknown"}, {Hook: api.HookStart, UUID: web}} {
		if err := s.broker.Hook(t.Context(), h); err != nil {
			t.Errorf("%+v: %v", h, err)
		}
	}
}

func TestHostWithoutXAPIFollowsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inventory")
	b := New(file, t.TempDir(), nil)
	h := &fakeHost{}
	if b.Named(h) != host.Host(h) {
		t.Error("its host is another")
	}
	if err := b.Move(config.XAPI{Enabled: true}, nil); err == nil || !strings.Contains(err.Error(), "this host has no XAPI") {
		t.Error(err)
	}
}

// A host whose inventory cannot be read has XAPI all the same: what VMs asked for stays,
// and XAPI is followed when it can be read.
func TestUnreadableInventoryEndsNothing(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budget=10ms", "period=100ms", "cache=wide")
	s.answered(web, "in force")
	for _, text := range []string{"", "PRODUCT_BRAND='XCP-ng'\n", "INSTALLATION_UUID='../../none'\n"} {
		if err := os.WriteFile(s.broker.inventory, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.restart()
		testkit.Eventually(t, "the problem is shown", func() bool {
			return strings.Contains(s.broker.Status().Problem, "this host's UUID is not known: "+s.broker.inventory+" has no line INSTALLATION_UUID")
		})
		s.review()
		if all := s.list(); len(all) != 1 || all[0].Problem != "" || s.host.budget("5") != 10*ms || !maps.Equal(s.classes.get(), map[string]string{web: "wide"}) {
			t.Errorf("%q: %+v, classes %v", text, all, s.classes.get())
		}
	}
	if err := os.WriteFile(s.broker.inventory, []byte("INSTALLATION_UUID='"+xapitest.Host+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.ask(web, "budget=20ms")
	s.answered(web, "in force: 20ms")
}

// A master that starts while XAPI is dead has the cache classes that VMs asked for, until
// XAPI answers or is switched off.
func TestCacheClassesOutliveTheMasterWhileXAPIIsDead(t *testing.T) {
	s := newSite(t)
	s.ask(web, "cache=wide")
	s.answered(web, `cache class "wide"`)
	s.xapi.Fail(xapitest.Fault{Name: "HOST_IN_EMERGENCY_MODE"})
	s.restart()
	want := map[string]string{web: "wide"}
	if got := s.classes.get(); !maps.Equal(got, want) {
		t.Errorf("before it is followed: %v", got)
	}
	testkit.Eventually(t, "XAPI is dead", func() bool { return s.broker.Status().Problem != "" })
	if got := s.classes.get(); !maps.Equal(got, want) {
		t.Errorf("while XAPI is dead: %v", got)
	}
	s.xapi.Fail(xapitest.Fault{})
	s.ask(web, "cache=")
	testkit.Eventually(t, "it has none", func() bool { return len(s.classes.get()) == 0 })
	s.restart()
	if got := s.classes.get(); len(got) != 0 {
		t.Errorf("the next master: %v", got)
	}
	if err := os.WriteFile(s.broker.asked.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.restart()
	s.ask(web, "cache=wide")
	s.answered(web, `cache class "wide"`)
}

// A XAPI that takes long for each answer does not delay requests.
func TestSlowXAPIDelaysNoRequest(t *testing.T) {
	s := newSite(t)
	s.xapi.Fail(xapitest.Fault{Method: "VM.remove_from_other_config", Delay: time.Hour})
	s.ask(web, "budget=10ms", "period=100ms")
	testkit.Eventually(t, "web has it", func() bool { return s.host.budget("5") == 10*ms })
	testkit.Eventually(t, "XAPI is asked to take the answer", func() bool { return s.xapi.Calls("VM.remove_from_other_config") > 0 })
	s.ask(db, "budget=10ms", "period=100ms")
	testkit.Eventually(t, "db has it", func() bool { return s.host.budget("6") == 10*ms })
}
