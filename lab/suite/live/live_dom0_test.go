// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package live

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

const (
	folder = "/usr/lib/vlibos/livepatch"
	ms     = time.Millisecond
)

// absent fails unless Xen answers as without the module.
func absent(t *testing.T) {
	t.Helper()
	if _, err := vlib.Open(host.Xen(t)); !errors.Is(err, vlib.ErrAbsent) {
		t.Errorf("%v, want %v", err, vlib.ErrAbsent)
	}
	if out := host.Run(t, "vlibmaster", "module", "status", "--json"); !strings.Contains(out, `"module":"absent"`) {
		t.Error(out)
	}
	if out := host.Run(t, "vlibmaster", "module", "status"); !strings.Contains(out, "not loaded") {
		t.Error(out)
	}
}

// refused fails unless a file is refused with these words, and nothing has changed.
func refused(t *testing.T, file, words string) {
	t.Helper()
	out, status := host.Command(t, "vlibmaster", "module", "load", file)
	if status == 0 || !strings.Contains(out, words) {
		t.Errorf("load %s: status %d, want an error with %q:\n%s", file, status, words, out)
	}
	absent(t)
}

// A live patch of another Xen is refused with both build-ids, and one that Xen cannot link
// leaves nothing behind.
func TestFailedLoadChangesNothing(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	id := strings.TrimSuffix(filepath.Base(files[0]), ".livepatch")
	payload, err := os.ReadFile(files[0])
	host.Must(t, err)
	if out := host.Run(t, "vlibmaster", "module", "status"); !strings.Contains(out, id) || !strings.Contains(out, files[0]+" fits") {
		t.Error(out)
	}
	write := func(name string, data []byte) string {
		file := filepath.Join(t.TempDir(), name)
		host.Must(t, os.WriteFile(file, data, 0o600))
		return file
	}
	build, err := hex.DecodeString(id)
	host.Must(t, err)
	note := append([]byte("GNU\x00"), build...)
	if bytes.Count(payload, note) != 2 {
		t.Fatalf("the live patch has its note %d times", bytes.Count(payload, note))
	}
	other := append([]byte(nil), note...)
	other[4] ^= 1
	refused(t, write("other", bytes.ReplaceAll(payload, note, other)), id+" runs")
	refused(t, write("unlinked", bytes.ReplaceAll(payload, []byte("\x00scheduler_get_default\x00"), []byte("\x00scheduler_got_default\x00"))), "nothing has changed")
	refused(t, write("cut", payload[:len(payload)/2]), "no live patch")
	refused(t, "/nowhere", "no live patch for this Xen")
}

// foreground is the part of a time that a reservation was in foreground, by the module.
func foreground(t *testing.T, m *vlib.Module, id uint32, window time.Duration) float64 {
	t.Helper()
	before, err := m.Reservation(id)
	begun := clock.Monotonic()
	host.Must(t, err)
	time.Sleep(window)
	after, err := m.Reservation(id)
	took := clock.Monotonic() - begun
	host.Must(t, err)
	return float64(after.Total.Foreground-before.Total.Foreground) / float64(took)
}

// Domains in a pool of their own have exact budgets, while Dom0 stays under credit2.
func TestBudgetsAreExactInAPoolOfTheirOwn(t *testing.T) {
	host.Run(t, "vlibmaster", "module", "load")
	host.Run(t, "vlibmaster", "module", "load") // changes nothing
	host.Run(t, "xl", "cpupool-cpu-remove", "Pool-0", "1")
	host.Run(t, "xl", "cpupool-create", `name="vlib"`, `sched="null"`, `cpus=["1"]`)
	for _, name := range []string{"vlib1", "vlib2"} {
		host.Repeat(t, "xl", "cpupool-migrate", name, "vlib")
	}
	m, h := host.Module(t)
	if info, err := m.Info(); err != nil || info.Host || info.CPUs != 1 {
		t.Errorf("%+v, %v", info, err)
	}
	if out := host.Run(t, "xl", "info"); !strings.Contains(out, "xen_scheduler          : credit2") {
		t.Error(out)
	}
	host.Must(t, m.Reserve(1, 2*ms, 10*ms))
	host.Must(t, m.Adopt(1, 1))
	if err := m.SetDomain(1, vlib.Follows, 0); !errors.Is(err, vlib.ErrUnsupported) {
		t.Errorf("a class follows calls without its hook: %v", err)
	}
	stop := host.Spin(t, h, 1, 1)
	stopOther := host.Spin(t, h, 2, 1)
	own, other := host.CPUTime(t, h, 1), host.CPUTime(t, h, 2)
	share := foreground(t, m, 1, 2*time.Second)
	t.Logf("foreground %.3f %%; Xen says %v and %v", 100*share, host.CPUTime(t, h, 1)-own, host.CPUTime(t, h, 2)-other)
	if math.Abs(share-0.2) > 0.002 { // the window may contain one more budget, 0.1 %
		t.Errorf("foreground %.3f %%, want 20", 100*share)
	}
	before, err := m.Reservation(1)
	host.Must(t, err)
	if out, status := host.Command(t, "vlibmaster", "module", "unload"); status == 0 || !strings.Contains(out, "cpupool-destroy") {
		t.Errorf("unload under load: status %d\n%s", status, out)
	}
	if r, err := m.Reservation(1); err != nil || r.Total.Foreground < before.Total.Foreground {
		t.Errorf("after the refusal %+v, %v", r, err)
	}
	stop()
	stopOther()
	host.Must(t, m.Unreserve(1))
}

// A call is charged to the reservation that pays for it.
func TestCallIsPaidInThePool(t *testing.T) {
	m, h := host.Module(t)
	host.Must(t, m.Reserve(2, 20*ms, 100*ms))
	t.Cleanup(func() { host.Must(t, m.Unreserve(2)) })
	host.Must(t, m.SetDomain(1, vlib.Listens, 0))
	t.Cleanup(func() { host.Must(t, m.SetDomain(1, 0, vlib.Listens)) })
	host.Must(t, m.Allow(1, 2))
	c := host.Open(t, 1, vlibcall.Options{Reservation: 2})
	own := host.CPUTime(t, h, 1)
	out, err := c.Call(t.Context(), builtin.Library, builtin.Echo, []byte("hello"), nil)
	if err != nil || string(out) != "hello" {
		t.Errorf("%q, %v", out, err)
	}
	r, err := m.Reservation(2)
	host.Must(t, err)
	t.Logf("charged %v of %v", r.Total.Foreground+r.Total.Background, host.CPUTime(t, h, 1)-own)
	if r.Total.Foreground == 0 {
		t.Error("the call was not charged")
	}
}

// The master keeps budgets by the module for the domains in the pool, if it is told to.
func TestMasterServesThePool(t *testing.T) {
	serve := exec.Command("vlibmaster", "--host", "module", "serve")
	serve.Stdout, serve.Stderr = os.Stderr, os.Stderr
	host.Must(t, serve.Start())
	t.Cleanup(func() {
		host.Must(t, serve.Process.Signal(syscall.SIGTERM))
		if err := serve.Wait(); err != nil {
			t.Error(err)
		}
	})
	host.Repeat(t, "vlibmaster", "ps")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "2ms", "--period", "10ms")
	out := host.Run(t, "vlibmaster", "ps")
	t.Log(out)
	if !strings.Contains(out, "vlib1") {
		t.Error(out)
	}
	var h api.Host
	host.Must(t, json.Unmarshal([]byte(host.Run(t, "vlibmaster", "ps", "--json")), &h))
	if len(h.Reservations) != 1 || h.Host != "module" {
		t.Fatalf("%+v", h)
	}
	m, xen := host.Module(t)
	stop := host.Spin(t, xen, 1, 1)
	share := foreground(t, m, h.Reservations[0].ID, time.Second)
	t.Logf("foreground %.3f %%", 100*share)
	if math.Abs(share-0.2) > 0.004 { // the window may contain one more budget, 0.2 %
		t.Errorf("foreground %.3f %%, want 20", 100*share)
	}
	stop()
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// The module is taken out while its domains run, elsewhere, and comes back.
func TestModuleIsTakenOutUnderLoad(t *testing.T) {
	m, h := host.Module(t)
	host.Must(t, m.Reserve(3, 10*ms, 100*ms)) // ends with the module
	host.Must(t, m.Adopt(2, 3))
	stop := host.Spin(t, h, 1, 1)
	defer stop()
	stopOther := host.Spin(t, h, 2, 1)
	defer stopOther()
	for _, name := range []string{"vlib1", "vlib2"} {
		host.Repeat(t, "xl", "cpupool-migrate", name, "Pool-0")
	}
	host.Repeat(t, "xl", "cpupool-destroy", "vlib")
	defer adopting(m)()
	for range 3 {
		testkit.Eventually(t, "it is unloaded", func() bool {
			out, status := host.Command(t, "vlibmaster", "module", "unload")
			if status != 0 {
				t.Log(out)
			}
			return status == 0
		})
		absent(t)
		from := host.CPUTime(t, h, 1)
		testkit.Eventually(t, "the DomU still runs", func() bool { return host.CPUTime(t, h, 1)-from > 100*ms })
		host.Run(t, "vlibmaster", "module", "load")
		if info, err := m.Info(); err != nil || info.CPUs != 0 || info.Reservations > 1 {
			t.Errorf("after a load: %+v, %v", info, err)
		}
	}
	host.Run(t, "vlibmaster", "module", "unload")
	absent(t)
}

// adopting adopts a domain again and again, whether the module is there or not, until
// the function that it returns is called.
func adopting(m *vlib.Module) (stop func()) {
	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
			}
			_ = m.Reserve(9, 10*ms, 100*ms)
			_ = m.Adopt(1, 9)
		}
	})
	return func() { close(end); done.Wait() }
}
