// SPDX-License-Identifier: Apache-2.0

package xapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/internal/testkit"
)

func logger() (*slog.Logger, *testkit.Text) {
	w := new(testkit.Text)
	return slog.New(slog.NewTextHandler(w, nil)), w
}

const web = "aaaaaaaa-0000-0000-0000-000000000001"

func vm(uuid, name string) xapitest.VM {
	return xapitest.VM{UUID: uuid, Name: name, Power: "Running", Domid: 5, Host: xapitest.HostRef, OtherConfig: map[string]string{"vlibos:budget": "10ms", "auto_poweron": "true"}}
}

func TestPoolFollowsItsVMs(t *testing.T) {
	x := xapitest.New()
	log, _ := logger()
	v := vm(strings.ToUpper(web), "web")
	v.Tags, v.Mask = []string{"prod"}, "0,1"
	ref := x.Add(v)
	template := vm("aaaaaaaa-0000-0000-0000-000000000002", "template")
	template.Template = true
	x.Add(template)
	p := follow(t, x, log)
	got := named(t, p, web, "web")
	want := &xapi.VM{Ref: ref, UUID: web, Name: "web", Power: "Running", Domid: 5, Host: xapitest.HostRef, Tags: []string{"prod"}, Asked: map[string]string{"budget": "10ms"}, Mask: "0,1"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if p.VM(template.UUID) != nil {
		t.Error("a template is a VM")
	}
	here := func(_ *xapi.VM, here bool) bool { return here }
	if all := p.Find(here); len(all) != 1 {
		t.Errorf("%d VMs are here", len(all))
	}
	x.Change(ref, func(v *xapitest.VM) { v.Name = "db" })
	named(t, p, web, "db")
	x.Change(ref, func(v *xapitest.VM) { v.Power, v.Domid, v.Host = "Halted", -1, "" })
	testkit.Eventually(t, "it is nowhere", func() bool { return len(p.Find(here)) == 0 })
	if v := p.VM(web); v.Domid != -1 || v.Host != "" || v.Power != "Halted" {
		t.Errorf("halted: %+v", v)
	}
	x.Remove(ref)
	testkit.Eventually(t, "it is gone", func() bool { return p.VM(web) == nil })
}

func TestPoolSetsEntries(t *testing.T) {
	x := xapitest.New()
	log, _ := logger()
	ref := x.Add(vm(web, "web"))
	p := follow(t, x, log)
	v := named(t, p, web, "web")
	for _, text := range []string{"one", "two"} {
		if err := p.Set(t.Context(), v, "status", text); err != nil {
			t.Fatal(err)
		}
		if got := x.Get(ref, "vlibos:status"); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
	if err := p.Remove(t.Context(), v, "status", func(text string) bool { return text == "one" }); err != nil || x.Get(ref, "vlibos:status") != "two" {
		t.Errorf("removed after another change: %q, %v", x.Get(ref, "vlibos:status"), err)
	}
	if err := p.Remove(t.Context(), v, "status", func(text string) bool { return text == "two" }); err != nil || x.Get(ref, "vlibos:status") != "" {
		t.Errorf("not removed: %q, %v", x.Get(ref, "vlibos:status"), err)
	}
	if got := x.Get(ref, "auto_poweron"); got != "true" {
		t.Errorf("another entry is %q", got)
	}
}

// A VM's names and values are its operator's. The pool limits what it remembers of them.
func TestHostileNamesAreLimited(t *testing.T) {
	x := xapitest.New()
	log, _ := logger()
	v := vm(web, strings.Repeat("ä", 100_000))
	v.OtherConfig = map[string]string{"vlibos:budget": "\x1b[2J\"\\\n\u2028" + strings.Repeat("9", 100_000)}
	for i := range 1000 {
		v.OtherConfig[fmt.Sprint("vlibos:", i, strings.Repeat("x", 1000))] = "y"
		v.Tags = append(v.Tags, strings.Repeat("t", 1000))
	}
	x.Add(v)
	x.Add(vm("aaaaaaaa-0000-0000-0000-000000000002", "honest"))
	p := follow(t, x, log)
	named(t, p, "aaaaaaaa-0000-0000-0000-000000000002", "honest")
	got := p.VM(web)
	if len(got.Name) > 512 || !strings.HasSuffix(got.Name, "ä") || len(got.Asked) > 32 || len(got.Tags) > 32 {
		t.Errorf("%d bytes, %d entries, %d tags", len(got.Name), len(got.Asked), len(got.Tags))
	}
	for k, v := range got.Asked {
		if len(k) > 512 || len(v) > 512 {
			t.Errorf("%.20q: %d bytes", k, len(v))
		}
	}
}

// After each failure the pool is complete again, and the log has one line for it.
func TestPoolIsCompleteAfterFailures(t *testing.T) {
	for what, fail := range map[string]func(x *xapitest.XAPI){
		"another coordinator": func(x *xapitest.XAPI) { x.NewCoordinator() },
		"a wrong token": func(x *xapitest.XAPI) {
			x.Fail(xapitest.Fault{Method: "event.from", Name: "EVENT_FROM_TOKEN_PARSE_FAILURE", Once: true})
			x.Change("OpaqueRef:"+web, func(*xapitest.VM) {})
		},
		"emergency mode": func(x *xapitest.XAPI) {
			x.Fail(xapitest.Fault{Name: "HOST_IN_EMERGENCY_MODE"})
			x.NewCoordinator()
		},
	} {
		t.Run(what, func(t *testing.T) {
			x := xapitest.New()
			log, lines := logger()
			ref := x.Add(vm(web, "web"))
			gone := x.Add(vm("aaaaaaaa-0000-0000-0000-000000000002", "gone"))
			p := follow(t, x, log)
			named(t, p, web, "web")
			x.Remove(gone)
			fail(x)
			testkit.Eventually(t, "it is said", func() bool { return strings.Contains(lines.String(), "level=WARN") })
			if p.VM(web) == nil {
				t.Error("what was known is forgotten")
			}
			x.Change(ref, func(v *xapitest.VM) { v.Name = "db" })
			x.Fail(xapitest.Fault{})
			named(t, p, web, "db")
			testkit.Eventually(t, "the removed one is gone", func() bool { return p.VM("aaaaaaaa-0000-0000-0000-000000000002") == nil })
			if n := strings.Count(lines.String(), "level=WARN"); n != 1 {
				t.Errorf("%d warnings:\n%s", n, lines)
			}
			testkit.Eventually(t, "it is said that XAPI answers", func() bool { return strings.Count(lines.String(), "XAPI answers") == 2 })
		})
	}
}

// A connection that ends at any byte of an answer changes nothing: neither in the first
// answer, with all VMs, nor in one with a change. The log has one line for it. Each
// takes seconds: 'make test SUITE=storm' tries every byte.
func TestAnswerCutOffAtAnyByteChangesNothing(t *testing.T) {
	step := 16
	if os.Getenv("VLIBOS_STORM") != "" {
		step = 1
	}
	whole := len(eventText(t, short()))
	var parts sync.WaitGroup
	at := make(chan int)
	var changes atomic.Int32 // whose answers were cut off
	for range 32 {
		parts.Go(func() {
			for cut := range at {
				cutOff(t, cut, &changes)
			}
		})
	}
	for cut := 1; cut < whole; cut += step {
		at <- cut
	}
	close(at)
	parts.Wait()
	t.Logf("cut off at %d bytes, and at %d with a change", whole/step, changes.Load())
	if int(changes.Load()) < whole/3/step {
		t.Error("few changes were cut off")
	}
}

// short has one VM, whose record is short.
func short() *xapitest.XAPI {
	x := xapitest.New()
	x.Short = true
	x.Add(vm(web, "web"))
	return x
}

func cutOff(t *testing.T, cut int, changes *atomic.Int32) {
	x := short()
	log, lines := logger()
	s := httptest.NewUnstartedServer(x)
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), fmt.Sprint(cut)))
	if err != nil {
		t.Error(err)
		return
	}
	s.Listener.Close()
	s.Listener, s.Config.ErrorLog = l, nil
	s.Start()
	defer s.Close()
	c, err := xapi.New(xapi.Options{Address: l.Addr().String()})
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	p := xapi.Follow(c, func() (string, error) { return xapitest.Host, nil }, log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	fault := xapitest.Fault{Method: "event.from", Cut: cut, Once: true}
	x.Fail(fault)
	go func() { p.Run(ctx); close(done) }()
	failed := func() bool { _, _, err := p.Known(); return err != nil }
	if !testkit.Holds(failed) {
		t.Errorf("byte %d: the first answer did not fail", cut)
	}
	if known, n, _ := p.Known(); known || n != 0 {
		t.Errorf("byte %d: %d VMs", cut, n)
	}
	if !testkit.Holds(func() bool { return p.VM(web) != nil }) {
		t.Errorf("byte %d: the second answer was not taken", cut)
	}
	testkit.Holds(func() bool { return x.Calls("event.from") == 3 }) // it waits for a change
	x.Fail(fault)
	x.Set("OpaqueRef:"+web, "vlibos:budget", "90ms")
	// It is shorter than the first, so that a late cut leaves it complete.
	if !testkit.Holds(func() bool { return failed() || p.VM(web).Asked["budget"] == "90ms" }) {
		t.Errorf("byte %d: the change did not come", cut)
	}
	if budget := p.VM(web).Asked["budget"]; failed() {
		if changes.Add(1); budget != "10ms" {
			t.Errorf("byte %d: %s", cut, budget)
		}
	}
	x.Fail(xapitest.Fault{})
	if !testkit.Holds(func() bool { return p.VM(web).Asked["budget"] == "90ms" }) {
		t.Errorf("byte %d: the change is lost", cut)
	}
	if n := strings.Count(lines.String(), "level=WARN"); n > 2 {
		t.Errorf("byte %d: %d lines:\n%s", cut, n, lines)
	}
}
