// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package hvm

import (
	"strconv"
	"strings"
	"testing"
	"time"

	domain "github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// A guest whose kernel knows nothing of Xen can be adopted with its device model, which
// is all that its devices have, and its gate can be closed. A call is refused at once,
// and the refusal says why and what to do; so does the server in the guest.
func TestGuestWithoutXensDrivers(t *testing.T) {
	host.Serve(t)
	id, text := startHVM(t, "bare", "xen_nopv",
		"ls /sys/hypervisor /dev/xen\n/usr/bin/vlib-server --transport xen\necho server: status $?\n"+choose+"echo drive: $("+status+")\n"+
			"echo "+begun+"\n"+reading+"\n", server...)
	for _, words := range []string{"network card", "/dev/xen: No such file", "xen_nopv", "server: status 1", "drive: 80"} {
		if !strings.Contains(text, words) {
			t.Errorf("no %q on its console:\n%s", words, text)
		}
	}
	for _, domain := range []string{"bare", strconv.Itoa(int(id))} {
		out, status := host.Command(t, "vlibmaster", "call", domain, "vlib", "echo", "x")
		if status != 4 || !strings.Contains(out, "takes no events from Xen") || !strings.Contains(out, "xen_nopv") {
			t.Errorf("a call: status %d, %s", status, out)
		}
		t.Log(out)
	}
	isCharged(t, "bare", func() (stop func()) { return func() {} })
	gates(t, "bare", id)
}

// With xen_emul_unplug=never a guest's kernel refuses PV disks and networks, and has
// event channels and grants: its devices are emulated, and it is called.
func TestGuestWithoutPVDevices(t *testing.T) {
	host.Serve(t)
	id, text := startHVM(t, "never", "xen_emul_unplug=never",
		"modprobe xen-privcmd unrestricted=1\nmodprobe -a xen-evtchn xen-gntdev xen-gntalloc xenfs\nmount -t xenfs xenfs /proc/xen\n"+
			"modprobe xen-blkfront\necho PV disks: $(ls /dev | grep -c xvd)\nvlib-server &\necho "+begun+"\nwait\n", server...)
	for _, words := range []string{"network card", "PV disks: 0"} {
		if !strings.Contains(text, words) {
			t.Errorf("no %q on its console:\n%s", words, text)
		}
	}
	testkit.Eventually(t, "its server is up", func() bool {
		_, status := host.Command(t, "vlibmaster", "call", "never", "vlib", "echo", "x")
		return status == 0
	})
	answersCos(t, "never")
	if bits := drive(t, "never", ""); bits&(ready|data) != ready || bits == 0xff {
		t.Errorf("the emulated drive is not ready: status %#x", bits)
	}
	isCharged(t, "never", func() (stop func()) { return host.Keep(t, "never", reading) })
	if host.All(t).Host == "module" {
		t.Run("calls are charged", func(t *testing.T) { callsAreCharged(t, id) })
	}
	gates(t, "never", id)
	answersCos(t, "never")
}

// server are the files of a guest's server.
var server = []string{"/tests/vlib-server", "/tests/vlib-worker"}

// gates closes a domain's gate where the host has gates, and pauses it elsewhere.
func gates(t *testing.T, name string, id uint16) {
	t.Helper()
	if all := host.All(t); all.Host != "module" {
		host.Run(t, "xl", "pause", name)
		stands(t, name, id, domain.Paused)
		host.Run(t, "xl", "unpause", name)
		return
	}
	m, _ := host.Module(t)
	host.Must(t, m.SetDomain(id, vlib.Closed, 0))
	stands(t, name, id, domain.GateClosed)
	host.Must(t, m.SetDomain(id, 0, vlib.Closed))
}

// stands fails unless a domain does not run, and the master says so.
func stands(t *testing.T, name string, id uint16, gate domain.Gate) {
	t.Helper()
	h := host.Xen(t)
	time.Sleep(10 * time.Millisecond)
	before := host.CPUTime(t, h, id)
	d, _ := host.Domain(t, name)
	time.Sleep(100 * time.Millisecond)
	if ran := host.CPUTime(t, h, id) - before; ran != 0 || d.Gate != gate {
		t.Errorf("%s ran for %v, its gate is %q, want %q", name, ran, d.Gate, gate)
	}
}
