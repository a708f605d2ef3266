// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/throttle/cache"
)

func share(id, class string, m cache.Masks) memory.CacheShare {
	return memory.CacheShare{Domain: host.Domain{ID: id, UUID: id, Name: id}, Class: class, Masks: m}
}

// machine has domains with threads.
func machine(t *testing.T, f *fakeTree, domains map[string][]int) *Groups {
	t.Helper()
	f.fill("", slices.Concat(slices.Collect(maps.Values(domains))...))
	g, err := open(f.root, func(name string) ([]int, error) {
		tids, ok := domains[name]
		if !ok {
			return nil, host.ErrNoDomain
		}
		return tids, nil
	}, f.system())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var (
	wide   = cache.Masks{L3Code: 0x7f, L3Data: 0x7f}
	narrow = cache.Masks{L3Code: 0x780, L3Data: 0x780, Bandwidth: 20}
)

func TestDomainsGetTheirClassAndLoseIt(t *testing.T) {
	f := newTree(t, server())
	f.file("vlibos.left/tasks", "7 8") // of a process that was killed
	f.file("other/tasks", "9")
	domains := map[string][]int{"web": {11, 12, 666}, "db": {21}, "batch": {31, 32}}
	g := machine(t, f, domains)
	if got := f.groups(); !reflect.DeepEqual(got, []string{"", "other"}) {
		t.Errorf("groups at the start: %q", got)
	}
	if err := g.Apply(t.Context(), []memory.CacheShare{share("web", "wide", wide), share("db", "wide", wide), share("batch", "narrow", narrow), share("gone", "narrow", narrow)}); err != nil {
		t.Fatal(err)
	}
	if got := f.read("vlibos.wide/schemata"); got != "MB:0=100;1=100\nL3:0=7f;1=7f\n" {
		t.Errorf("wide: %q", got)
	}
	if got := f.read("vlibos.narrow/schemata"); got != "MB:0=20;1=20\nL3:0=780;1=780\n" {
		t.Errorf("narrow: %q", got)
	}
	if w, n := f.of("vlibos.wide"), f.of("vlibos.narrow"); !reflect.DeepEqual(w, []int{11, 12, 21}) || !reflect.DeepEqual(n, []int{31, 32}) {
		t.Errorf("wide %v, narrow %v", w, n)
	}
	domains["batch"] = []int{31, 32, 33} // a new thread
	if err := g.Apply(t.Context(), []memory.CacheShare{share("web", "narrow", wide), share("batch", "narrow", wide)}); err != nil {
		t.Fatal(err)
	}
	if got := f.groups(); !reflect.DeepEqual(got, []string{"", "other", "vlibos.narrow"}) {
		t.Errorf("groups: %q", got)
	}
	if n := f.of("vlibos.narrow"); !reflect.DeepEqual(n, []int{11, 12, 31, 32, 33}) {
		t.Errorf("narrow %v", n)
	}
	if err := g.Apply(t.Context(), []memory.CacheShare{share("web", "narrow", wide)}); err != nil {
		t.Fatal(err)
	}
	if n := f.of("vlibos.narrow"); !reflect.DeepEqual(n, []int{11, 12}) {
		t.Errorf("after batch has left: narrow %v", n)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if got := f.groups(); !reflect.DeepEqual(got, []string{"", "other"}) {
		t.Errorf("groups at the end: %q", got)
	}
	if got := f.of("other"); !reflect.DeepEqual(got, []int{9}) {
		t.Errorf("another program's group: %v", got)
	}
}

func TestARefusedMaskLeavesTheEarlierOne(t *testing.T) {
	f := newTree(t, server())
	g := machine(t, f, map[string][]int{"web": {11}, "db": {21}})
	before := []memory.CacheShare{share("web", "wide", wide)}
	if err := g.Apply(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	holes := cache.Masks{L3Code: 5, L3Data: 5}
	for _, bad := range [][]memory.CacheShare{
		{share("web", "wide", holes)},
		{share("web", "narrow", narrow), share("db", "bad", holes)},
	} {
		err := g.Apply(t.Context(), bad)
		if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "not what I take") {
			t.Errorf("%v", err)
		}
		if got := f.read("vlibos.wide/schemata"); !strings.Contains(got, "L3:0=7f;1=7f") || !reflect.DeepEqual(f.of("vlibos.wide"), []int{11}) {
			t.Errorf("wide: %q, %v", got, f.of("vlibos.wide"))
		}
		if got := f.groups(); !reflect.DeepEqual(got, []string{"", "vlibos.wide"}) {
			t.Errorf("groups: %q", got)
		}
	}
}

func TestWithoutAFreeClassNothingChanges(t *testing.T) {
	f := newTree(t, server())
	f.classes = 3
	f.file("other/tasks", "")
	g := machine(t, f, map[string][]int{"web": {11}, "db": {21}})
	err := g.Apply(t.Context(), []memory.CacheShare{share("web", "a", wide), share("db", "b", narrow)})
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "no class of service is free") {
		t.Errorf("%v", err)
	}
	if got := f.groups(); !reflect.DeepEqual(got, []string{"", "other"}) {
		t.Errorf("groups: %q", got)
	}
	// Another name needs no other class.
	for _, name := range []string{"a", "b"} {
		if err := g.Apply(t.Context(), []memory.CacheShare{share("web", name, wide)}); err != nil {
			t.Error(err)
		}
	}
}

func TestLayoutIsOfTheFilesInInfo(t *testing.T) {
	f := newTree(t, server())
	l, err := Layout(f.root)
	want := cache.Layout{L3: &cache.Ways{Bits: 11, Least: 1, Classes: 15}, Bandwidth: &cache.Bandwidth{Least: 10, Step: 10, Classes: 7}, Groups: 7}
	if err != nil || !reflect.DeepEqual(l, want) {
		t.Errorf("%v, %v", l, err)
	}

	split := newTree(t, map[string]string{
		"schemata":             "L3DATA:0=fff\nL3CODE:0=fff\nL2:0=ff;4=ff\nSMBA:0=2048\n",
		"info/L3CODE/cbm_mask": "fff", "info/L3CODE/min_cbm_bits": "2", "info/L3CODE/num_closids": "8",
		"info/L3DATA/cbm_mask": "fff", "info/L3DATA/min_cbm_bits": "2", "info/L3DATA/num_closids": "8",
		"info/L2/cbm_mask": "ff", "info/L2/min_cbm_bits": "1", "info/L2/num_closids": "4",
	})
	tree, err := readTree(split.root)
	if err != nil || !tree.layout.L3.CDP || tree.layout.L2.Bits != 8 || tree.layout.Bandwidth != nil {
		t.Errorf("%v, %v", tree.layout, err)
	}
	if got := tree.schemata(cache.Masks{L3Code: 3, L3Data: 0xc}); got != "L3DATA:0=c\nL3CODE:0=3\nL2:0=ff;4=ff\n" {
		t.Errorf("%q", got)
	}
}

// min_cbm_bits is 0 on an AMD processor and 1 on Intel's.
func TestMaskOfAMDHasOneBitAtLeast(t *testing.T) {
	f := newTree(t, server())
	f.file("info/L3/min_cbm_bits", "0\n")
	l, err := Layout(f.root)
	if err != nil || l.L3.Least != 1 {
		t.Errorf("%v, %v", l, err)
	}
}

// A group takes a class of service of every resource, also of those that it does not
// set.
func TestFewestClassesOfAnyResourceDecide(t *testing.T) {
	files := server()
	files["schemata"] += "    L2:0=ff;1=ff\n"
	for name, text := range map[string]string{
		"info/L3/num_closids": "15", "info/MB/num_closids": "15",
		"info/L2/cbm_mask": "ff", "info/L2/min_cbm_bits": "1", "info/L2/num_closids": "8",
	} {
		files[name] = text
	}
	l, err := Layout(newTree(t, files).root)
	if err != nil || l.Groups != 7 {
		t.Fatalf("%v, %v", l, err)
	}
	classes := make([]cache.Class, 10)
	for i := range classes {
		classes[i] = cache.Class{Name: fmt.Sprint("c", i), L3: 10}
	}
	if _, err := cache.Make(classes, l); !errors.Is(err, cache.ErrTooMany) || !strings.Contains(err.Error(), "10, and this host has 7") {
		t.Errorf("%v", err)
	}
	if _, err := cache.Make(classes[:7], l); err != nil {
		t.Error(err)
	}
	// A resource that this package does not know counts too.
	files["info/SMBA/num_closids"] = "3"
	if l, err := Layout(newTree(t, files).root); err != nil || l.Groups != 2 {
		t.Errorf("%v, %v", l, err)
	}
	files["info/SMBA/num_closids"] = "1"
	if _, err := Layout(newTree(t, files).root); !errors.Is(err, host.ErrNotHere) {
		t.Error(err)
	}
}

// Units: a percentage of the whole bandwidth.
func TestBandwidthThatIsNoPercentageIsIgnored(t *testing.T) {
	for name, change := range map[string]string{"info/MB/delay_linear": "0", "schemata": "MB:0=4294967295\nL3:0=7ff\n"} {
		f := newTree(t, server())
		f.file(name, change)
		tree, err := readTree(f.root)
		if err != nil || tree.layout.Bandwidth != nil || strings.Contains(tree.schemata(wide), "MB") {
			t.Errorf("%s: %v, %v", name, tree, err)
		}
	}
}

func TestErrorsNameWhatIsMissing(t *testing.T) {
	empty := t.TempDir()
	for dir, want := range map[string]string{
		filepath.Join(empty, "none"): "neither Intel RDT nor AMD QoS",
		empty:                        "mount -t resctrl",
		newTree(t, map[string]string{"schemata": "X:0=1\n"}).root: "neither cache nor memory bandwidth",
	} {
		if _, err := Layout(dir); !errors.Is(err, host.ErrNotHere) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f := newTree(t, server())
	f.file("info/L3/cbm_mask", "7fe")
	if _, err := Layout(f.root); err == nil {
		t.Error("a mask with a hole is accepted")
	}
}

// The part of the kernel's behaviour that other file systems share.
func TestWriteCreatesNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "group")
	if err := kernel.mkdir(dir); err != nil {
		t.Fatal(err)
	}
	if err := kernel.mkdir(dir); !errors.Is(err, os.ErrExist) {
		t.Errorf("again: %v", err)
	}
	if err := kernel.write(filepath.Join(dir, "schemata"), "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that the kernel has not made: %v", err)
	}
	if err := kernel.rmdir(dir); err != nil {
		t.Error(err)
	}
	if err := kernel.rmdir(dir); !errors.Is(err, unix.ENOENT) {
		t.Errorf("again: %v", err)
	}
}
