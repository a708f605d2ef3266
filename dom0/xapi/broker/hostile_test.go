// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/internal/testkit"
)

// A status is as XAPI's client remembers it: a longer one would be written again each 10 seconds.
func TestStatusIsNotLongerThanWhatIsRemembered(t *testing.T) {
	v := &xapi.VM{UUID: web, Asked: map[string]string{keyBudget: strings.Repeat("9", 512), keyPeriod: "100ms"}}
	_, wrong := reservation(v)
	text := status(strings.Repeat("h", 64), v, api.Status{}, wrong, nil)
	got := marked(text, xapitest.Host, time.Now())
	if has, by := unmarked(xapi.Short(got)); has != text || by != xapitest.Host {
		t.Errorf("%q of %q, want %q", has, by, text)
	}
	for _, other := range []string{"", "in force", " [" + xapitest.Host + "]", strings.Repeat("[", 100), text} {
		if has, by := unmarked(other); has != other || by != "" {
			t.Errorf("%q has the mark of %q", other, by)
		}
	}
}

// A VM whose status XAPI does not take is no reason to leave out another's, and is logged.
func TestStatusThatXAPIRefusesDelaysNoOther(t *testing.T) {
	s := newSite(t)
	s.xapi.Fail(xapitest.Fault{Method: "VM.remove_from_other_config", Ref: "OpaqueRef:" + web, Name: "RBAC_PERMISSION_DENIED"})
	s.ask(web, "budget=10ms", "period=100ms")
	testkit.Eventually(t, "it is logged", func() bool { return strings.Contains(s.log.String(), "RBAC_PERMISSION_DENIED") })
	s.ask(db, "budget=10ms", "period=100ms")
	s.answered(db, "in force")
	if n := strings.Count(s.log.String(), "RBAC_PERMISSION_DENIED"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// A VM none of whose keys is known is told which there are.
func TestVMWithoutAKnownKeyIsToldThem(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budgt=10ms", "cache=")
	s.answered(web, "not understood: none of its keys asks for anything: want budget, period")
}

// A VM that has another's UUID for its name gets nothing of it, and takes nothing away.
func TestVMWithAnotherUUIDAsNameGetsNothing(t *testing.T) {
	s := newSite(t)
	s.xapi.Change("OpaqueRef:"+db, func(v *xapitest.VM) { v.Name = web })
	testkit.Eventually(t, "it has the name", func() bool {
		all, err := s.broker.Named(s.host).Domains(t.Context())
		return err == nil && all[1].Name == web
	})
	s.host.run(domain("6", db, "db")) // web is being built
	s.ask(web, "budget=10ms", "period=100ms")
	s.answered(web, "its domain does not run yet")
	if b := s.host.budget("6"); b != 0 {
		t.Errorf("the other has %v", b)
	}
	s.host.run(domain("5", web, "web"), domain("6", db, "db"))
	s.answered(web, "in force: 10ms in every 100ms, domain 5")
}

// Two VMs with one UUID have one request, which does not change with each look.
func TestTwoVMsWithOneUUIDHaveOneRequest(t *testing.T) {
	s := newSite(t)
	s.ask(web, "budget=10ms", "period=100ms")
	s.answered(web, "in force")
	s.ask(db, "budget=20ms", "period=100ms")
	s.answered(db, "in force")
	s.xapi.Change("OpaqueRef:"+db, func(v *xapitest.VM) { v.UUID = web })
	testkit.Eventually(t, "one has ended", func() bool { return len(s.list()) == 1 })
	if s.host.budget("5") != 10*ms {
		t.Errorf("%v", s.host.budget("5"))
	}
}

// failing is a master that fails at first.
type failing struct {
	Master
	calls int
	done  func()
}

func (m *failing) Request(context.Context, []api.Reservation) ([]api.Status, error) {
	if m.calls++; m.calls == 1 {
		return nil, errors.New("no domains")
	}
	m.done()
	return nil, nil
}

// A master that fails as XAPI is switched off ends the requests later.
func TestSwitchingOffIsRepeatedUntilItSucceeds(t *testing.T) {
	log := new(testkit.Text)
	b := &Broker{log: logTo(t, log)}
	ctx, cancel := context.WithCancel(t.Context())
	m := &failing{done: cancel}
	b.follow(ctx, m, new(classes))
	if m.calls != 2 || strings.Count(log.String(), "it is tried again") != 1 {
		t.Errorf("%d calls: %s", m.calls, log)
	}
}
