// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
	"github.com/vlibos/vlibos/xenctl"
)

func share(id uint16, uuid byte, m cache.Masks) memory.CacheShare {
	return memory.CacheShare{
		Domain: host.Domain{ID: strconv.Itoa(int(id)), UUID: domains.UUID([16]byte{15: uuid})}, Class: "c", Masks: m,
	}
}

func start(t *testing.T, f *fakeXen, file string) *Classes {
	t.Helper()
	c, err := Open(f, f.calls, file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	wide   = cache.Masks{L3Code: 0x0ff, L3Data: 0x0ff}
	narrow = cache.Masks{L3Code: 0xf00, L3Data: 0xf00, Bandwidth: 20}
)

// The class of a domain follows calls as long as it is in a class that says so.
func TestClassesFollowCalls(t *testing.T) {
	f, file := newFake(false), filepath.Join(t.TempDir(), "cache.json")
	f.create(1, 1)
	f.create(2, 2)
	if err := start(t, f, file).CanFollow(); !errors.Is(err, host.ErrNotHere) {
		t.Errorf("without a module: %v", err)
	}
	calls := &followers{on: map[uint16]bool{}}
	f.calls = calls
	before, c := f.state(), start(t, f, file)
	follows := share(1, 1, narrow)
	follows.Follow = true
	apply := func(want map[uint16]bool, shares ...memory.CacheShare) {
		t.Helper()
		if err := c.Apply(t.Context(), shares); err != nil || !reflect.DeepEqual(calls.on, want) {
			t.Errorf("%v, %v, want %v", calls.on, err, want)
		}
	}
	if err := c.CanFollow(); err != nil {
		t.Error(err)
	}
	apply(map[uint16]bool{1: true}, follows, share(2, 2, wide))
	if f.reloads != 2 {
		t.Errorf("two domains were loaded %d times", f.reloads)
	}
	apply(map[uint16]bool{}, share(1, 1, narrow))
	apply(map[uint16]bool{1: true}, follows)
	apply(map[uint16]bool{}, share(2, 2, wide))

	// Refused: nothing changes.
	calls.refuse = errors.New("a live patch")
	was := f.state()
	if err := c.CanFollow(); !errors.Is(err, calls.refuse) {
		t.Errorf("a module that cannot: %v", err)
	}
	if err := c.Apply(t.Context(), []memory.CacheShare{follows}); !errors.Is(err, calls.refuse) || !reflect.DeepEqual(f.state(), was) {
		t.Errorf("%v, %v, want %v", err, f.state(), was)
	}
	calls.refuse = nil

	// Killed: the next one takes it back.
	apply(map[uint16]bool{1: true}, follows)
	if c = start(t, f, file); len(calls.on) != 1 {
		t.Errorf("a new one begins with %v", calls.on)
	}
	if err := c.Close(); err != nil || len(calls.on) != 0 || !reflect.DeepEqual(f.state(), before) {
		t.Errorf("%v, %v, %v", err, calls.on, f.state())
	}
}

func TestDomainsGetTheirClassAndLoseIt(t *testing.T) {
	for _, cdp := range []bool{false, true} {
		f, file := newFake(cdp), filepath.Join(t.TempDir(), "cache.json")
		for id := range uint16(4) {
			f.create(id, byte(id))
		}
		if err := f.SetAllocation(3, 1, xenctl.Throttle, 40); err != nil { // set before Open
			t.Fatal(err)
		}
		before := f.state()
		c := start(t, f, file)
		if err := c.Apply(t.Context(), []memory.CacheShare{share(1, 1, wide), share(2, 2, narrow), share(3, 3, narrow), share(9, 9, wide)}); err != nil {
			t.Fatal(err)
		}
		for s := range 2 {
			l3 := place{s, xenctl.L3Mask}
			if cdp {
				l3.kind = xenctl.L3Data
			}
			if f.has[1][l3] != 0xff || f.has[1][place{s, xenctl.Throttle}] != 0 || f.has[2][l3] != 0xf00 || f.has[3][place{s, xenctl.Throttle}] != 80 {
				t.Errorf("%v", f.has)
			}
			if n := f.used(s); n != 2 {
				t.Errorf("%d classes for two", n)
			}
		}
		if err := c.Apply(t.Context(), []memory.CacheShare{share(3, 3, wide)}); err != nil {
			t.Fatal(err)
		}
		if f.has[3][place{1, xenctl.Throttle}] != 40 || !reflect.DeepEqual(f.has[1], before[1]) {
			t.Errorf("a setting that the class does not name changed: %v", f.has)
		}
		if err := c.Close(); err != nil || f.closed != 1 || !reflect.DeepEqual(f.state(), before) {
			t.Errorf("%v, closed %d times: %v, want %v", err, f.closed, f.state(), before)
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file after everything is restored: %v", err)
		}
	}
}

func TestARefusedMaskLeavesTheEarlierOne(t *testing.T) {
	f := newFake(false)
	f.create(1, 1)
	f.create(2, 2)
	c := start(t, f, filepath.Join(t.TempDir(), "cache.json"))
	if err := c.Apply(t.Context(), []memory.CacheShare{share(1, 1, wide), share(2, 2, wide)}); err != nil {
		t.Fatal(err)
	}
	before := f.state()
	f.refuse = func(id uint16, _ xenctl.Allocation, v uint64) bool { return id == 2 && v == 80 }
	err := c.Apply(t.Context(), []memory.CacheShare{share(1, 1, narrow), share(2, 2, narrow)})
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), `class "c" for domain 2`) {
		t.Errorf("%v", err)
	}
	if !reflect.DeepEqual(f.state(), before) {
		t.Errorf("%v, want %v", f.state(), before)
	}
}

// All masks change at once, and no class of service is free.
func TestClassesAreFreedForNewMasks(t *testing.T) {
	f := newFake(false)
	f.classes = 2
	for id := range uint16(4) {
		f.create(id, byte(id))
	}
	c := start(t, f, filepath.Join(t.TempDir(), "cache.json"))
	of := func(a, b uint64) (all []memory.CacheShare) {
		for id, m := range []uint64{a, a, b, b} {
			all = append(all, share(uint16(id), byte(id), cache.Masks{L3Code: m, L3Data: m}))
		}
		return all
	}
	for _, masks := range [][2]uint64{{1, 2}, {4, 8}, {8, 4}} {
		if err := c.Apply(t.Context(), of(masks[0], masks[1])); err != nil {
			t.Fatalf("%v: %v", masks, err)
		}
		if f.has[0][place{0, xenctl.L3Mask}] != masks[0] || f.has[3][place{1, xenctl.L3Mask}] != masks[1] {
			t.Errorf("%v: %v", masks, f.has)
		}
	}
	before := f.state()
	err := c.Apply(t.Context(), append(of(1, 2), share(1, 1, cache.Masks{L3Code: 3, L3Data: 3})))
	if !errors.Is(err, xenctl.ErrNoClass) || !reflect.DeepEqual(f.state(), before) {
		t.Errorf("a third class: %v: %v, want %v", err, f.state(), before)
	}
}

// Also after kills and refusals at any time, domains end with the settings that they began with.
func TestEveryDomainGetsItsSettingsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "psr")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		f := newFake(rapid.Bool().Draw(t, "cdp"))
		for id := range uint16(5) {
			f.create(id, byte(id))
		}
		if rapid.Bool().Draw(t, "set before") {
			if err := f.SetAllocation(4, 0, xenctl.Throttle, 10); err != nil {
				t.Fatal(err)
			}
		}
		before := f.state()
		open := func() *Classes {
			c, err := Open(f, f.calls, filepath.Join(dir, "cache.json"))
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c := open()
		masks := rapid.SampledFrom([]cache.Masks{wide, narrow, {Bandwidth: 50}, {L3Code: 1, L3Data: 1}, {L3Code: 3, L3Data: 3, Bandwidth: 10}, {L3Code: 7, L3Data: 7}, {L3Code: 15, L3Data: 15}})
		given := false
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "killed") {
				c, given = open(), false // the new process has set nothing yet
			}
			var shares []memory.CacheShare
			for id := range uint16(5) {
				if rapid.Bool().Draw(t, "in a class") {
					shares = append(shares, share(id, byte(id), masks.Draw(t, "masks")))
				}
			}
			if rapid.IntRange(0, 5).Draw(t, "gone") == 0 {
				f.destroy(2)
				delete(before, 2)
			}
			was := f.state()
			bad := rapid.SampledFrom([]uint64{99, 80, 0xff, 1}).Draw(t, "refused")
			f.refuse = func(_ uint16, _ xenctl.Allocation, v uint64) bool { return v == bad }
			err := c.Apply(t.Context(), shares)
			f.refuse = nil
			switch {
			case err == nil:
				given = true
			case given && has(was, bad):
				given = false // what is refused was set before, and cannot be restored
			case given && !reflect.DeepEqual(f.state(), was):
				t.Fatalf("after %v: %v, want %v", err, f.state(), was)
			}
		}
		if rapid.Bool().Draw(t, "killed at the end") {
			c = open()
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(f.state(), before) {
			t.Fatalf("%v, want %v", f.state(), before)
		}
	})
}

func has(all map[uint16]values, v uint64) bool {
	for _, of := range all {
		for _, w := range of {
			if v == w {
				return true
			}
		}
	}
	return false
}

func TestLayoutIsOfAllSockets(t *testing.T) {
	f := newFake(true)
	l, sockets, err := Layout(f)
	want := cache.Layout{L3: &cache.Ways{Bits: 12, Least: 1, Classes: 4, CDP: true}, Bandwidth: &cache.Bandwidth{Least: 10, Step: 10, Classes: 4}, Spare: true}
	if err != nil || !reflect.DeepEqual(l, want) || !reflect.DeepEqual(sockets, []int{0, 1}) {
		t.Errorf("%v, %v, %v, want %v", l, sockets, err, want)
	}
	f.bandwidth.Linear, f.l2 = false, &xenctl.CacheInfo{Bits: 8, Classes: 3}
	if l, _, err = Layout(f); err != nil || l.Bandwidth != nil || l.L2.Bits != 8 {
		t.Errorf("throttles that are not linear: %v, %v", l, err)
	}
	f.l2.Bits = 1000
	if _, _, err = Layout(f); !errors.Is(err, xenctl.ErrBroken) {
		t.Errorf("masks of 1000 bits: %v", err)
	}
	if _, _, err = Layout(&fakeXen{sockets: 1}); !errors.Is(err, host.ErrNotHere) || !strings.Contains(err.Error(), "psr=cat,cdp,mba") {
		t.Errorf("nothing: %v", err)
	}
}

// A domain whose handle changes keeps its share, and gets its settings back, also from
// a later process. Another domain of the same number keeps its own settings.
func TestADomainWithANewHandleIsTheSameDomain(t *testing.T) {
	for _, killed := range []bool{false, true} {
		f, file := newFake(false), filepath.Join(t.TempDir(), "cache.json")
		f.create(1, 1)
		f.create(2, 20)
		before := f.state()
		c := start(t, f, file)
		if err := c.Apply(t.Context(), []memory.CacheShare{share(1, 1, wide), share(2, 20, narrow)}); err != nil {
			t.Fatal(err)
		}
		f.domain[1] = 7 // and more CPU time
		f.create(2, 3)  // another domain of that number
		if killed {
			c = start(t, f, file)
		}
		if err := c.Close(); err != nil || !reflect.DeepEqual(f.state(), before) {
			t.Errorf("killed %v: %v: %v, want %v", killed, err, f.state(), before)
		}
	}
}

// A record of another boot, or of a domain that has gone, changes no domain.
func TestAFileOfOtherDomainsChangesNothing(t *testing.T) {
	f, file := newFake(false), filepath.Join(t.TempDir(), "cache.json")
	f.create(1, 1)
	f.create(2, 2)
	before := f.state()
	text := `[{"id":1,"ran_ns":540000000000,"was":[{"socket":0,"kind":0,"value":1}]},
{"id":2,"ran_ns":120000000000,"was":[{"socket":0,"kind":3,"value":1}]},{"id":7,"ran_ns":1,"was":null}]`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(t, f, file).Close(); err != nil || !reflect.DeepEqual(f.state(), before) {
		t.Errorf("%v: %v", err, f.state())
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(f, nil, file); err == nil || !strings.Contains(err.Error(), "psr-cat-set") {
		t.Errorf("a file that cannot be read: %v", err)
	}
}
