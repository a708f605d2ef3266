// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/dom0/xapi/broker"
	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/image"
	"github.com/vlibos/vlibos/lab/suite/host"
)

// toolstack makes Dom0 look like a host of XAPI, whose hooks are installed.
func toolstack(t *testing.T) *xapitest.XAPI {
	t.Helper()
	x := xapitest.New()
	x.Hooks = t.TempDir()
	hook := filepath.Join(x.Hooks, api.HookStart)
	socket := filepath.Dir(xapi.DefaultSocket)
	for _, dir := range []string{socket, hook} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := exec.LookPath("vlibmaster")
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		broker.Inventory:               "INSTALLATION_UUID='" + xapitest.Host + "'\n",
		filepath.Join(hook, "vlibos"):  "#!/bin/sh\nexec " + program + " xapi hook " + api.HookStart + " \"$@\"\n",
		filepath.Join(hook, "another"): "#!/bin/sh\nexit 1\n", // is only logged
	} {
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Remove(broker.Inventory) })
	x.Listen(t, xapi.DefaultSocket)
	return x
}

// known adds the VM of a running domain, and returns its reference and UUID.
func known(t *testing.T, x *xapitest.XAPI, name string) (ref, uuid string) {
	t.Helper()
	domid := host.DomainID(t, name)
	h := handle(t, domid)
	uuid = fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:])
	return x.Add(xapitest.VM{UUID: uuid, Name: name, Power: "Running", Domid: int(domid), Host: xapitest.HostRef}), uuid
}

func ask(x *xapitest.XAPI, ref, budget string) {
	x.Set(ref, "vlibos:period", "100ms")
	x.Set(ref, "vlibos:budget", budget)
}

// holds waits until a domain has a budget, and returns how long that took.
func holds(t *testing.T, uuid string, budget time.Duration, domid uint16) time.Duration {
	t.Helper()
	return testkit.Eventually(t, fmt.Sprintf("%s has %v", uuid, budget), func() bool {
		for _, s := range ps(t).Reservations {
			if s.UUIDs() == uuid && s.On() == fmt.Sprint(domid) && s.Problem == "" && s.Budget == budget {
				return true
			}
		}
		return false
	})
}

func says(t *testing.T, x *xapitest.XAPI, ref, words string) {
	t.Helper()
	testkit.Eventually(t, "the status says "+words, func() bool { return strings.Contains(x.Get(ref, "vlibos:status"), words) })
}

// refused starts a VM, and returns why XAPI does not.
func refused(t *testing.T, uuid string) error {
	t.Helper()
	c, err := xapi.New(xapi.Options{Originator: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Call(t.Context(), "VM.start", nil, "OpaqueRef:"+uuid, false, false)
}

// VMs ask in XAPI for reservations and get them. A rename, a new domain, a XAPI that is
// gone and a restart of the master change nothing else.
func requests(t *testing.T) {
	const uuid = "6f1d3a52-93c8-4d0b-8f55-1f2b6f3c7a11"
	x := toolstack(t)
	ref, first := known(t, x, "vlib1")
	config := filepath.Join(t.TempDir(), "vlibmaster.toml")
	guest := filepath.Join(t.TempDir(), "guest")
	for file, text := range map[string]string{
		config: "[xapi]\nrefuse_starts = true\n",
		guest:  fmt.Sprintf("name = 'vm'\nuuid = '%s'\nkernel = '%s'\nextra = 'rootwait root=/dev/none'\nmemory = 128\n", uuid, image.Kernel),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := host.Serve(t, "--config", config)
	d.Says(t, "XAPI answers")
	ask(x, ref, "10ms")
	t.Logf("ps shows the reservation %v after it was asked for", holds(t, first, 10*ms, vlib1))
	says(t, x, ref, "in force: 10ms in every 100ms, domain "+fmt.Sprint(vlib1))

	// One that would not fit is refused before its domain is made.
	vm := x.Add(xapitest.VM{UUID: uuid, Name: "vm", Power: "Halted", Domid: -1})
	ask(x, vm, "95ms")
	testkit.Eventually(t, "the master knows the request", func() bool {
		return strings.Contains(host.Run(t, "vlibmaster", "xapi", "status"), "budget=95ms")
	})
	if err := refused(t, uuid); err == nil || !strings.Contains(err.Error(), "XAPI_HOOK_FAILED (vm-pre-start/vlibos, none, vlibmaster: ") || !strings.Contains(err.Error(), "not admitted: on CPU") {
		t.Errorf("a VM that does not fit: %v", err)
	}
	ask(x, vm, "5ms")
	testkit.Eventually(t, "the VM starts", func() bool { return refused(t, uuid) == nil })
	create := func() uint16 {
		t.Helper()
		host.Run(t, "xl", "create", guest)
		domid := host.DomainID(t, "vm")
		x.Change(vm, func(v *xapitest.VM) { v.Domid = int(domid) })
		return domid
	}
	t.Cleanup(func() { host.Command(t, "xl", "destroy", "vm") })
	old := create()
	holds(t, uuid, 5*ms, old)

	// It is renamed, and its domain becomes another.
	x.Change(vm, func(v *xapitest.VM) { v.Name = "renamed \x1b[2J" })
	testkit.Eventually(t, "ps has the new name", func() bool { return adoptedName(t, uuid) == "renamed \x1b[2J" })
	host.Run(t, "xl", "destroy", "vm")
	domid := create()
	holds(t, uuid, 5*ms, domid)
	says(t, x, vm, fmt.Sprint("domain ", domid))
	if domid == old {
		t.Errorf("the new domain also has the number %d", domid)
	}

	// XAPI is gone, and the master is another.
	before := ps(t).Reservations
	x.Fail(xapitest.Fault{Name: "HOST_IN_EMERGENCY_MODE"})
	x.NewCoordinator()
	d.Says(t, "XAPI does not answer as it should")
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	next := host.Serve(t, "--config", config)
	next.Says(t, "XAPI does not answer as it should")
	for i, s := range ps(t).Reservations {
		if b := before[i]; s.ID != b.ID || s.On() != b.On() || s.Budget != b.Budget || s.Origin != api.FromXAPI || s.Problem != "" {
			t.Errorf("before %+v\nafter  %+v", b, s)
		}
	}
	x.Fail(xapitest.Fault{})
	ask(x, ref, "20ms")
	holds(t, first, 20*ms, vlib1)
	x.Set(ref, "vlibos:budget", "20")
	says(t, x, ref, "not understood: budget: ")
	holds(t, first, 20*ms, vlib1)

	var status api.XAPI
	if err := json.Unmarshal([]byte(host.Run(t, "vlibmaster", "xapi", "status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	if len(status.Asked) != 2 || status.Problem != "" {
		t.Errorf("%+v", status)
	}
	for _, v := range status.Asked {
		if got := x.Get("OpaqueRef:"+v.UUID, "vlibos:status"); !strings.HasPrefix(got, v.Status+" ["+xapitest.Host+" ") {
			t.Errorf("XAPI has the status %q, and the master %q", got, v.Status)
		}
	}

	// It is migrated to a host without a master: neither reservation nor answer stays.
	x.Change(vm, func(v *xapitest.VM) { v.Host = xapitest.OtherHost })
	host.Run(t, "xl", "destroy", "vm")
	testkit.Eventually(t, "nothing is left of it here", func() bool {
		return len(ps(t).Reservations) == 1 && x.Get(vm, "vlibos:status") == ""
	})

	// The next master cannot read which host this is.
	if err := os.WriteFile(broker.Inventory, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := next.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	next.Wait()
	last := host.Serve(t, "--config", config)
	last.Says(t, "this host's UUID is not known")
	holds(t, first, 20*ms, vlib1)
	if err := os.WriteFile(broker.Inventory, []byte("INSTALLATION_UUID='"+xapitest.Host+"'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	last.Says(t, "XAPI answers")
	x.Set(ref, "vlibos:period", "")
	x.Set(ref, "vlibos:budget", "")
	x.Remove(vm)
	testkit.Eventually(t, "nothing is reserved", func() bool { return len(ps(t).Reservations) == 0 })
}

// adoptedName is the name of the domain with a UUID.
func adoptedName(t *testing.T, uuid string) string {
	t.Helper()
	for _, s := range ps(t).Reservations {
		if s.UUIDs() == uuid {
			return s.Name
		}
	}
	return ""
}

func TestVMsInXAPIHaveWhatTheyAskFor(t *testing.T) { requests(t) }

// XCP-ng's Xen has no module.
func TestStockVMsInXAPIHaveWhatTheyAskFor(t *testing.T) { requests(t) }
