// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"errors"
	"maps"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// counter is a cgroup whose use the test sets.
type counter struct{ used atomic.Int64 }

func (c *counter) Usage() (time.Duration, error) { return time.Duration(c.used.Load()), nil }
func (c *counter) Close() error                  { return nil }

func newLedger(t *testing.T) (*Keeper, *Book, *Reader, *counter) {
	t.Helper()
	dir, c := t.TempDir(), new(counter)
	k, err := keep(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBook(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), r.Close(), k.Close(), k.Close()); err != nil {
			t.Error(err)
		}
	})
	return k, b, r, c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCallIsReportedAndCharged(t *testing.T) {
	k, b, r, c := newLedger(t)
	owner, other := new(int), new(int)
	refused := func(way string) {
		t.Helper()
		if err := k.Begin(owner, 1, 5); !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), way) {
			t.Errorf("%v, want %q", err, way)
		}
	}
	refused("run --calls")
	must(t, b.Allow(5, true))
	refused("serve")
	must(t, b.Renew(time.Hour))
	c.used.Store(100)
	must(t, k.Begin(owner, 1, 5))
	claim := Claim{Used: map[uint32]time.Duration{5: 0, 6: 0}}
	if !b.Read(&claim) || claim.Serving != 5 || claim.Start != 100 || claim.Used[5] != 0 {
		t.Errorf("in the call: %+v", claim)
	}
	c.used.Store(130)
	k.End(other, 1)
	k.End(owner, 2)
	if b.Read(&claim); claim.Serving != 5 {
		t.Error("another channel has ended the call")
	}
	k.End(owner, 1)
	c.used.Store(1000)
	k.End(owner, 1) // has ended already
	if !b.Read(&claim) || claim.Serving != 0 || claim.Used[5] != 30 || claim.Used[6] != 0 {
		t.Errorf("after it: %+v", claim)
	}
	must(t, b.Note(5, 7, 2))
	if s, err := r.Read(5); err != nil || s != (Slot{Used: 30, Last: 30, Background: 7, Deschedules: 2}) {
		t.Errorf("%+v, %v", s, err)
	}
	must(t, b.Allow(5, false))
	refused("run --calls")
	for _, none := range []uint32{0, MaxReservation, 1 << 31} {
		if err := k.May(none); !errors.Is(err, ErrDenied) {
			t.Errorf("%d: %v", none, err)
		}
	}
}

// Of several calls under way, each is charged from the end of the earlier ones on, so
// that all use is charged, and none of it twice.
func TestCallsUnderWayAreChargedInTheirOrder(t *testing.T) {
	k, b, _, c := newLedger(t)
	must(t, b.Renew(time.Hour))
	for _, r := range []uint32{5, 6, 7} {
		must(t, b.Allow(r, true))
	}
	batch, one, gone := new(int), new(int), new(int)
	claim := Claim{Used: map[uint32]time.Duration{5: 0, 6: 0, 7: 0}}
	step := func(serving uint32, start, five, six, seven time.Duration) {
		t.Helper()
		want := map[uint32]time.Duration{5: five, 6: six, 7: seven}
		if !b.Read(&claim) || claim.Serving != serving || claim.Start != start || !maps.Equal(claim.Used, want) {
			t.Errorf("%+v, want %d since %d, %v", claim, serving, start, want)
		}
		c.used.Add(10)
	}
	must(t, k.Begin(batch, 1, 5))
	must(t, k.Begin(one, 1, 6))
	must(t, k.Begin(batch, 2, 5))
	must(t, k.Begin(gone, 1, 7))
	must(t, k.Begin(gone, 2, 7))
	step(5, 0, 0, 0, 0)
	k.End(batch, 1)
	step(6, 10, 10, 0, 0)
	k.Drop(gone)
	step(6, 10, 10, 0, 0)
	k.End(one, 1)
	step(5, 30, 10, 20, 0)
	k.End(gone, 1) // its handler returns
	k.End(batch, 2)
	step(0, 40, 20, 20, 0)
}

// The ledger is the server's: whatever it does with the file, the master can
// read on.
func TestHostileServerCannotStopTheMaster(t *testing.T) {
	k, b, r, _ := newLedger(t)
	claim := Claim{Used: map[uint32]time.Duration{5: 0}}
	k.word(atSequence).Store(7)
	if b.Read(&claim) {
		t.Error("what is always being changed was read")
	}
	k.word(atSequence).Store(8)
	k.word(atServing).Store(1 << 40)
	k.word(atStart).Store(1<<64 - 1)
	k.word(slot(5)).Store(1<<64 - 1)
	if !b.Read(&claim) || claim.Serving != MaxReservation || claim.Start < 0 || claim.Used[5] < 0 {
		t.Errorf("%+v", claim)
	}
	if !b.Current() {
		t.Error("the file has gone")
	}
	must(t, os.Truncate(k.path, 16))
	if b.Read(&claim) {
		t.Error("what was cut off was read")
	}
	if _, err := r.Read(5); err == nil {
		t.Error("what was cut off was read")
	}
	must(t, os.Truncate(k.path, size)) // the keeper's own end writes there
	must(t, os.Remove(k.path))
	if b.Current() {
		t.Error("a removed file is current")
	}
}

func TestDomainHasOneLedger(t *testing.T) {
	k, _, _, c := newLedger(t)
	dir := strings.TrimSuffix(k.path, "/"+Name)
	if _, err := keep(dir, c); !errors.Is(err, ErrNone) {
		t.Errorf("a second keeper: %v", err)
	}
	must(t, k.Close())
	if _, err := OpenBook(dir); !errors.Is(err, ErrNone) {
		t.Errorf("a closed ledger: %v", err)
	}
	must(t, os.Symlink("/etc/passwd", k.path))
	if _, err := OpenBook(dir); err == nil {
		t.Error("a link was followed")
	}
	must(t, os.Remove(k.path))
	must(t, os.WriteFile(k.path, []byte("short"), 0o600))
	if _, err := OpenBook(dir); !errors.Is(err, ErrNone) {
		t.Errorf("no ledger: %v", err)
	}
	again, err := keep(dir, c) // replaces the ledger of a dead server
	must(t, err)
	must(t, again.Close())
}

// A read is of one moment, while calls begin and end.
func TestReadIsOfOneMoment(t *testing.T) {
	k, b, _, c := newLedger(t)
	must(t, b.Allow(5, true))
	must(t, b.Renew(time.Hour))
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if k.Begin(k, 1, 5) != nil {
				return
			}
			c.used.Add(10)
			k.End(k, 1)
		}
	}()
	claim := Claim{Used: map[uint32]time.Duration{5: 0}}
	seen := 0
	for end := time.Now().Add(10 * time.Second); seen < 1000 && time.Now().Before(end); {
		if !b.Read(&claim) {
			continue
		}
		seen++
		// All use before the call under way is in Used.
		if claim.Serving == 5 && claim.Start != claim.Used[5] {
			t.Fatalf("%+v", claim)
		}
	}
	close(stop)
	<-ended
	if seen == 0 {
		t.Error("nothing could be read")
	}
}
