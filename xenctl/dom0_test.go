// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package xenctl

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These tests run in the lab's Dom0, beside at least one DomU.

func open(t *testing.T) *Handle {
	t.Helper()
	h, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// guest returns the first DomU.
func guest(t *testing.T, h *Handle) DomainInfo {
	t.Helper()
	all, err := h.Domains()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 2 || all[0].ID != 0 {
		t.Fatalf("domains %+v, want Dom0 and a DomU", all)
	}
	return all[1]
}

func TestLabVersionIsComplete(t *testing.T) {
	v, err := open(t).Version()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%#v", v)
	if v.Major != 4 || v.Minor < 17 || v.PageSize != 4096 ||
		v.Compiler == "" || v.CompileDate == "" || v.CommandLine == "" ||
		!slices.Contains(v.Capabilities, "xen-3.0-x86_64") {
		t.Error("a field has a wrong value")
	}
}

func TestLabDomainsListsDom0AndTheDomU(t *testing.T) {
	h := open(t)
	g := guest(t, h)
	t.Logf("%+v", g)
	if g.ID == 0 || g.Dying || g.TotalPages == 0 || g.OnlineVCPUs < 1 || g.MaxVCPUID < 0 || g.UUID == [16]byte{} {
		t.Errorf("DomU %+v", g)
	}
	one, err := h.DomainInfo(g.ID)
	if err != nil {
		t.Fatal(err)
	}
	if one.ID != g.ID || one.UUID != g.UUID || one.MaxPages != g.MaxPages || one.CPUTime < g.CPUTime {
		t.Errorf("alone %+v\nin the list %+v", one, g)
	}
	zero, err := h.DomainInfo(0)
	if err != nil || zero.ID != 0 || !zero.Running || zero.CPUTime == 0 {
		t.Errorf("Dom0 %+v, %v", zero, err)
	}
}

func TestLabVCPUsHaveTimesAndCPUs(t *testing.T) {
	h := open(t)
	g := guest(t, h)
	v, err := h.VCPU(g.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if v.ID != 0 || !v.Online || v.CPUTime <= 0 || v.CPU < 0 || v.CPU >= 64 {
		t.Errorf("%+v", v)
	}
	for _, tt := range []struct {
		domid uint16
		vcpu  int
	}{{g.ID, g.MaxVCPUID + 1}, {g.ID, 1 << 20}, {999, 0}} {
		if _, err := h.VCPU(tt.domid, tt.vcpu); !errors.Is(err, ErrNoDomain) {
			t.Errorf("vCPU %d of domain %d: %v", tt.vcpu, tt.domid, err)
		}
	}
}

// The DomU has Xen's drivers, whatever its kind. Only kinds with firmware may be without.
func TestLabGuestTakesEvents(t *testing.T) {
	h := open(t)
	g := guest(t, h)
	takes, err := h.TakesEvents(g.ID)
	if g.HVM && (err != nil || !takes) || !g.HVM && !errors.Is(err, unix.EINVAL) {
		t.Errorf("%+v: %v, %v", g, takes, err)
	}
	if _, err := h.TakesEvents(999); !errors.Is(err, ErrNoDomain) {
		t.Errorf("domain 999: %v", err)
	}
}

func TestLabMissingDomainsAreErrNoDomain(t *testing.T) {
	h := open(t)
	if _, err := h.DomainInfo(999); !errors.Is(err, ErrNoDomain) {
		t.Errorf("above all: %v", err)
	}
	// DOMID_SELF and the other reserved numbers cannot be looked up.
	if _, err := h.DomainInfo(domidFirstReserved + 2); err == nil {
		t.Error("a reserved number was found")
	}
	for name, err := range map[string]error{"pause": h.Pause(999), "unpause": h.Unpause(999)} {
		if !errors.Is(err, ErrNoDomain) || !errors.Is(err, unix.ESRCH) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLabPausesAreCounted(t *testing.T) {
	h := open(t)
	id := guest(t, h).ID
	paused := func() bool {
		t.Helper()
		info, err := h.DomainInfo(id)
		if err != nil {
			t.Fatal(err)
		}
		return info.Paused
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if paused() {
		t.Fatal("paused before the test")
	}
	must(h.Pause(id))
	if !paused() {
		t.Error("not paused after Pause")
	}
	before, err := h.DomainInfo(id)
	must(err)
	time.Sleep(300 * time.Millisecond)
	after, err := h.DomainInfo(id)
	must(err)
	if after.CPUTime != before.CPUTime || after.Running {
		t.Errorf("a paused domain ran for %v", after.CPUTime-before.CPUTime)
	}
	must(h.Pause(id)) // pauses are counted
	must(h.Unpause(id))
	if !paused() {
		t.Error("one Unpause took back two")
	}
	must(h.Unpause(id))
	if paused() {
		t.Error("paused after as many Unpause as Pause")
	}
	if err := h.Unpause(id); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Unpause of a domain that is not paused: %v", err)
	}
	if err := h.Pause(0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Dom0 paused itself: %v", err)
	}
}

func TestLabInterfacesAreThoseOfTheRelease(t *testing.T) {
	h := open(t)
	v, err := h.Version()
	if err != nil {
		t.Fatal(err)
	}
	i, err := h.Interfaces()
	if release := fmt.Sprintf("%d.%d", v.Major, v.Minor); err != nil || !strings.Contains(i.String(), release) {
		t.Errorf("%v, %v on Xen %s", i, err, release)
	}
	if searched := (Interfaces{acceptedVersion(h.askDomctl), acceptedVersion(h.askSysctl)}); searched != i {
		t.Errorf("Xen accepts %v, found was %v", searched, i)
	}
	if _, err := h.domctlAs(i.Domctl-1, domctlGetDomainInfo, 0, getDomainInfo{}); !errors.Is(err, unix.EACCES) {
		t.Errorf("another version: %v, want EACCES", err)
	}
	t.Log(v, i)
}

func TestLabListInSmallBatchesIsComplete(t *testing.T) {
	h := open(t)
	all, err := h.Domains()
	if err != nil {
		t.Fatal(err)
	}
	version, err := h.sysctlVersion()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range all {
		batch, err := h.sysctlList(version, want.ID, 1)
		if err != nil || len(batch) != 1 || batch[0].domain != want.ID {
			t.Errorf("domain %d of the list: %+v, %v", i, batch, err)
		}
	}
}

func TestLabLockedMemoryServesHypercalls(t *testing.T) {
	h := open(t)
	if h.buffers.dev == nil {
		t.Fatal("no /dev/xen/hypercall: the lab's kernel has it")
	}
	if err := h.buffers.dev.Close(); err != nil {
		t.Fatal(err)
	}
	h.buffers.dev = nil
	if all, err := h.Domains(); err != nil || len(all) < 2 {
		t.Errorf("%d domains, %v", len(all), err)
	}
}

func TestLabConcurrentCallsHaveTheirOwnResults(t *testing.T) {
	h := open(t)
	want := guest(t, h)
	var users sync.WaitGroup
	for range 16 {
		users.Go(func() {
			for range 200 {
				got, err := h.DomainInfo(want.ID)
				if err != nil || got.UUID != want.UUID {
					t.Errorf("%+v, %v", got, err)
					return
				}
				if all, err := h.Domains(); err != nil || len(all) < 2 {
					t.Errorf("%d domains, %v", len(all), err)
					return
				}
			}
		})
	}
	users.Wait()
}

func TestLabCloseDuringCallsIsAnError(t *testing.T) {
	for range 50 {
		h := open(t)
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				for {
					if _, err := h.Domains(); err != nil {
						if !errors.Is(err, os.ErrClosed) {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		time.Sleep(time.Millisecond)
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		users.Wait()
	}
}

func TestLabRoundsLeaveNothing(t *testing.T) {
	count := func(path string) int {
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	round := func() {
		h, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Domains(); err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	round()
	fds, maps := count("/proc/self/fd"), count("/proc/self/map_files")
	for range 1000 {
		round()
	}
	if after := count("/proc/self/fd"); after != fds {
		t.Errorf("%d descriptors before, %d after", fds, after)
	}
	if after := count("/proc/self/map_files"); after > maps+20 { // the Go heap may grow
		t.Errorf("%d mappings before, %d after", maps, after)
	}
}

// BenchmarkLabHypercall is the shortest hypercall; in the lab that counts
// instructions a nanosecond is an instruction.
func BenchmarkLabHypercall(b *testing.B) {
	h, err := Open()
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.hypercall(hypercallXenVersion, xenverVersion, 0); err != nil {
			b.Fatal(err)
		}
	}
}
