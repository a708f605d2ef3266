// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/xenctl"
)

// fakeObserver gives IDs as Xen does.
type fakeObserver struct {
	info    xenctl.Monitoring
	cpus    map[int]int // of each socket
	id      map[uint16]uint32
	count   map[uint32][3]uint64 // by ID and event, of each socket
	refuse  error
	closed  bool
	without bool
}

func (f *fakeObserver) SocketCPUs() (map[int]int, error) { return maps.Clone(f.cpus), nil }

func (f *fakeObserver) Monitoring(int) (xenctl.Monitoring, error) {
	if f.without {
		return xenctl.Monitoring{}, &xenctl.OpError{Op: "ask", Err: xenctl.ErrNotSupported}
	}
	return f.info, nil
}

func (f *fakeObserver) Monitor(domid uint16) error {
	for id := uint32(1); int(id) <= f.info.IDs; id++ {
		used := false
		for _, other := range f.id {
			used = used || other == id
		}
		if !used {
			f.id[domid] = id
			return nil
		}
	}
	return fmt.Errorf("monitor: %w", xenctl.ErrNoMonitor)
}

func (f *fakeObserver) Unmonitor(domid uint16) error {
	delete(f.id, domid)
	return nil
}

func (f *fakeObserver) MonitorID(domid uint16) (uint32, error) { return f.id[domid], nil }

func (f *fakeObserver) MonitorCount(cpu int, id uint32, e xenctl.MonitorEvent) (uint64, error) {
	if f.refuse != nil {
		return 0, f.refuse
	}
	return f.count[id][e-1], nil
}

func (f *fakeObserver) Close() error {
	f.closed = true
	return nil
}

func newObserver(ids int) *fakeObserver {
	return &fakeObserver{
		info: xenctl.Monitoring{IDs: ids, Unit: 1 << 16, Cache: 4 << 20, Events: 3},
		cpus: map[int]int{0: 0, 1: 4}, id: map[uint16]uint32{}, count: map[uint32][3]uint64{},
	}
}

func domain(id int, uuid string) host.Domain { return host.Domain{ID: fmt.Sprint(id), UUID: uuid} }

func read(t *testing.T, m *Monitor, all ...host.Domain) map[string]host.CacheUse {
	t.Helper()
	use, err := m.Read(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return use
}

func TestUseIsOfAllSocketsAndWrapsAway(t *testing.T) {
	f := newObserver(4)
	m, err := OpenMonitor(f)
	if err != nil || m.Capacity() != 8<<20 {
		t.Fatalf("capacity %d, %v", m.Capacity(), err)
	}
	web := domain(1, "u1")
	f.count[1] = [3]uint64{3, 1<<24 - 2, 0}
	if u := read(t, m, web)["1"]; u.Occupied != 6<<16 || u.Moved != 0 || u.Problem != "" {
		t.Errorf("first reading: %+v", u)
	}
	f.count[1] = [3]uint64{2, 3, 0} // both sockets' counters have wrapped at 24 bits
	if u := read(t, m, web)["1"]; u.Occupied != 4<<16 || u.Moved != 10<<16 {
		t.Errorf("after a wrap: %+v", u)
	}
	delete(f.cpus, 1) // its last CPU went offline
	f.count[1] = [3]uint64{2, 5, 0}
	if u := read(t, m, web)["1"]; u.Occupied != 2<<16 || u.Moved != 12<<16 {
		t.Errorf("without a socket: %+v", u)
	}
	// Another program takes the ID away; the counters of the next ID are others.
	f.id[1] = 3
	f.count[3] = [3]uint64{1, 100, 0}
	if u := read(t, m, web)["1"]; u.Moved != 12<<16 {
		t.Errorf("with another ID: %+v", u)
	}
	if err := m.Close(); err != nil || f.id[1] != 3 || !f.closed {
		t.Errorf("the other program's ID after the end: %v, %v", f.id, err)
	}
}

// Xen gives the lowest free ID: it may be the one that another program gave back.
func TestAnIDThatAnotherProgramGaveBackIsGivenBackAgain(t *testing.T) {
	f := newObserver(2)
	f.id[1] = 1
	m, err := OpenMonitor(f)
	if err != nil {
		t.Fatal(err)
	}
	read(t, m, domain(1, "a"))
	delete(f.id, 1)
	read(t, m, domain(1, "a"))
	if err := m.Close(); err != nil || len(f.id) > 0 {
		t.Errorf("IDs after the end: %v, %v", f.id, err)
	}
}

func TestIDsThatRunOutAreShownAndNoError(t *testing.T) {
	f := newObserver(2)
	f.id[7] = 2 // another program's, of a domain that is not asked for
	m, err := OpenMonitor(f)
	if err != nil {
		t.Fatal(err)
	}
	use := read(t, m, domain(1, "a"), domain(2, "b"))
	if use["1"].Problem != "" || use["2"].Problem != "all of the processor's 2 monitoring IDs are in use" {
		t.Errorf("%+v", use)
	}
	// The first domain ends: the second has its ID then.
	delete(f.id, 1)
	read(t, m, domain(2, "b"))
	if use := read(t, m, domain(2, "b")); use["2"].Problem != "" {
		t.Errorf("an ID is free: %+v", use)
	}
	if err := m.Close(); err != nil || !maps.Equal(f.id, map[uint16]uint32{7: 2}) {
		t.Errorf("IDs after the end: %v, %v", f.id, err)
	}
}

func TestAReadingThatFailsIsThatDomainsProblem(t *testing.T) {
	f := newObserver(2)
	m, err := OpenMonitor(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, refuse := range []error{xenctl.ErrNoValue, unix.EPERM} {
		f.refuse = refuse
		if u := read(t, m, domain(1, "a"))["1"]; !strings.Contains(u.Problem, refuse.Error()) || u.Occupied != 0 {
			t.Errorf("%v: %+v", refuse, u)
		}
	}
}

func TestAHostWithoutMonitoringSaysSo(t *testing.T) {
	f := newObserver(0)
	f.without = true
	if _, err := OpenMonitor(f); !errors.Is(err, host.ErrNotHere) || !strings.Contains(err.Error(), "psr=cmt") || !f.closed {
		t.Errorf("%v, closed %v", err, f.closed)
	}
}
