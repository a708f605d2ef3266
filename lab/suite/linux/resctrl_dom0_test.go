// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory"
	"github.com/vlibos/vlibos/dom0/memory/resctrl"
	"github.com/vlibos/vlibos/throttle/cache"
)

// domains are processes by the name of their domain.
type domains map[string][]int

// start adds a process to a domain.
func (d domains) start(t *testing.T, name string) int {
	t.Helper()
	c := exec.Command("sleep", "100000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	d[name] = append(d[name], c.Process.Pid)
	return c.Process.Pid
}

func (d domains) threads(name string) ([]int, error) {
	if tids, ok := d[name]; ok {
		return tids, nil
	}
	return nil, host.ErrNoDomain
}

// in reports whether all of a domain is in a group.
func (d domains) in(t *testing.T, name, group string) bool {
	t.Helper()
	tasks := strings.Fields(read(t, filepath.Join(group, "tasks")))
	return !slices.ContainsFunc(d[name], func(tid int) bool { return !slices.Contains(tasks, strconv.Itoa(tid)) })
}

func share(id, class string, m cache.Masks) memory.CacheShare {
	return memory.CacheShare{Domain: host.Domain{ID: id, UUID: id, Name: id}, Class: class, Masks: m}
}

// opened opens the classes, and closes them at the end of the test.
func opened(t *testing.T, d domains) *resctrl.Groups {
	t.Helper()
	g, err := resctrl.Open("vlibos", d.threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// planned plans two classes with all that the processor has.
func planned(t *testing.T, l cache.Layout) (wide, narrow cache.Masks) {
	t.Helper()
	classes := []cache.Class{{Name: "wide"}, {Name: "narrow"}}
	if l.L3.CDP {
		classes[0].L3Code, classes[0].L3Data = 25, 25
	} else {
		classes[0].L3 = 50
	}
	classes[1].L3 = 25
	if l.L2 != nil {
		classes[0].L2, classes[1].L2 = 50, 25
	}
	if l.Bandwidth != nil {
		classes[1].Bandwidth = 30
	}
	p, err := cache.Make(classes, l)
	if err != nil {
		t.Fatal(err)
	}
	return p.Masks[0], p.Masks[1]
}

// has compares a group with masks.
func has(t *testing.T, group string, m cache.Masks, l cache.Layout) {
	t.Helper()
	hex := func(v uint64, w *cache.Ways) string {
		if v == 0 {
			v = 1<<w.Bits - 1
		}
		return strconv.FormatUint(v, 16)
	}
	want := make(map[string]string)
	if l.L3.CDP {
		want["L3CODE"], want["L3DATA"] = hex(m.L3Code, l.L3), hex(m.L3Data, l.L3)
	} else {
		want["L3"] = hex(m.L3Code, l.L3)
	}
	if l.L2 != nil {
		for _, name := range map[bool][]string{false: {"L2"}, true: {"L2CODE", "L2DATA"}}[l.L2.CDP] {
			want[name] = hex(m.L2, l.L2)
		}
	}
	if l.Bandwidth != nil {
		want["MB"] = "100"
		if m.Bandwidth != 0 {
			want["MB"] = strconv.Itoa(m.Bandwidth)
		}
	}
	got := schemata(t, group)
	for resource, value := range want {
		if got[resource] != value {
			t.Errorf("%s: %s is %q, want %q", group, resource, got[resource], value)
		}
	}
	t.Logf("%s: %v", group, got)
}

// mounts are the options with which a processor's caches can be mounted.
func mounts(t *testing.T) []string {
	t.Helper()
	all := []string{"", "cdp"}
	mounted := exec.Command("grep", "-qw", "cdp_l2", "/proc/cpuinfo")
	if mounted.Run() == nil {
		all = append(all, "cdp,cdpl2")
	}
	return all
}

// Each domain is in its class and in no other, whatever is mounted, until it leaves or the
// classes end. Another program's group and the default one stay as they are.
func TestDomainsAreInTheirClassUntilTheyLeave(t *testing.T) {
	for _, options := range mounts(t) {
		t.Run("mount "+options, func(t *testing.T) {
			mounted(t, options)
			d := make(domains)
			web, db, batch := d.start(t, "web"), d.start(t, "db"), d.start(t, "batch")
			other := d.start(t, "stranger")
			if err := set(t, "other/tasks", strconv.Itoa(other)); err != nil {
				t.Fatal(err)
			}
			theirs, whole := read(t, "other/schemata"), read(t, "schemata")
			g := opened(t, d)
			l := g.Layout()
			t.Logf("%v; processes %d %d %d", l, web, db, batch)
			wide, narrow := planned(t, l)
			apply := func(shares ...memory.CacheShare) {
				t.Helper()
				if err := g.Apply(t.Context(), shares); err != nil {
					t.Fatal(err)
				}
			}
			apply(share("web", "wide", wide), share("db", "wide", wide), share("batch", "narrow", narrow), share("gone", "narrow", narrow))
			has(t, "vlibos.wide", wide, l)
			has(t, "vlibos.narrow", narrow, l)
			if !d.in(t, "web", "vlibos.wide") || !d.in(t, "db", "vlibos.wide") || !d.in(t, "batch", "vlibos.narrow") {
				t.Error("a domain is not in its class")
			}
			d.start(t, "batch")
			apply(share("web", "narrow", wide), share("batch", "narrow", wide))
			has(t, "vlibos.narrow", wide, l)
			if got := groups(t); !slices.Equal(got, []string{"other", "vlibos.narrow"}) {
				t.Errorf("groups %q", got)
			}
			if !d.in(t, "batch", "vlibos.narrow") || !d.in(t, "web", "vlibos.narrow") || !d.in(t, "db", "") {
				t.Error("a new process, or a domain of a removed class, is elsewhere")
			}
			apply(share("web", "narrow", wide))
			if !d.in(t, "batch", "") {
				t.Error("a domain that has left is still in its class")
			}
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			if got := groups(t); !slices.Equal(got, []string{"other"}) {
				t.Errorf("groups at the end %q", got)
			}
			if read(t, "other/schemata") != theirs || !d.in(t, "stranger", "other") || read(t, "schemata") != whole {
				t.Error("another program's group, or the default one, has changed")
			}
		})
	}
}

// What the kernel refuses changes nothing, and the error has its reason.
func TestRefusedMasksLeaveTheEarlierOnes(t *testing.T) {
	mounted(t, "")
	d := make(domains)
	d.start(t, "web")
	d.start(t, "db")
	g := opened(t, d)
	l := g.Layout()
	// The other group owns the lowest way of each cache, which the default group gives up.
	// The highest ways are devices' and cannot be owned.
	whole := read(t, "schemata")
	ways(t, "", func(all uint64) uint64 { return all - 1 })
	t.Cleanup(func() {
		if err := errors.Join(set(t, "other/mode", "shareable\n"), set(t, "schemata", whole)); err != nil {
			t.Error(err)
		}
	})
	ways(t, "other", func(uint64) uint64 { return 1 })
	free := cache.Masks{L3Code: 0xf0, L3Data: 0xf0}
	if l.L2 != nil {
		free.L2 = 0xf0
	}
	taken := free
	taken.L3Code, taken.L3Data = 3, 3
	if err := g.Apply(t.Context(), []memory.CacheShare{share("web", "wide", free)}); err != nil {
		t.Fatal(err)
	}
	if err := set(t, "other/mode", "exclusive\n"); err != nil {
		t.Fatalf("the other group cannot be exclusive: %v %s", err, read(t, "info/last_cmd_status"))
	}
	for _, shares := range [][]memory.CacheShare{
		{share("web", "wide", taken)},
		{share("web", "wide", free), share("db", "bad", taken)},
		{share("db", "bad", taken)},
	} {
		err := g.Apply(t.Context(), shares)
		t.Log(err)
		if err == nil || !strings.Contains(err.Error(), shares[len(shares)-1].Class) || !strings.Contains(err.Error(), "xclusive") {
			t.Errorf("the error is %v", err)
		}
		if got := groups(t); !slices.Equal(got, []string{"other", "vlibos.wide"}) || schemata(t, "vlibos.wide")["L3"] != "f0" || !d.in(t, "web", "vlibos.wide") || !d.in(t, "db", "") {
			t.Errorf("after it: %q, %v", got, schemata(t, "vlibos.wide"))
		}
	}
}

// A host with fewer classes than a configuration says how many it has. Where other
// programs have taken them, nothing changes.
func TestMoreClassesThanTheHostHasAreRefused(t *testing.T) {
	mounted(t, "")
	d := make(domains)
	g := opened(t, d)
	l := g.Layout()
	var classes []cache.Class
	var shares []memory.CacheShare
	for i := range l.Groups {
		name := fmt.Sprint("d", i)
		d.start(t, name)
		classes = append(classes, cache.Class{Name: name, L3: 10})
		shares = append(shares, share(name, name, cache.Masks{L3Code: 1, L3Data: 1}))
	}
	if _, err := cache.Make(append(classes, cache.Class{Name: "more", L3: 10}), l); !errors.Is(err, cache.ErrTooMany) || !strings.Contains(err.Error(), fmt.Sprint("this host has ", l.Groups)) {
		t.Errorf("%d classes: %v", l.Groups+1, err)
	}
	if err := g.Apply(t.Context(), shares[:1]); err != nil {
		t.Fatal(err)
	}
	err := g.Apply(t.Context(), shares) // the group "other" has one of them
	t.Log(err)
	if err == nil || !strings.Contains(err.Error(), "no class of service is free for 1 of") || !strings.Contains(err.Error(), "(other)") {
		t.Errorf("%d classes beside another program's: %v", l.Groups, err)
	}
	if got := groups(t); !slices.Equal(got, []string{"other", "vlibos.d0"}) || !d.in(t, "d0", "vlibos.d0") {
		t.Errorf("after it: %q", got)
	}
	if err := g.Apply(t.Context(), shares[1:]); err != nil {
		t.Errorf("as many as there are: %v", err)
	}
	t.Logf("%d classes and another program's", len(groups(t))-1)
	// The kernel agrees about their number.
	if err := os.Mkdir(filepath.Join(resctrl.Root, "one-more"), 0o755); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("one more: %v", err)
	}
}

// What a killed process has left is removed by the next one.
func TestNextProcessRemovesWhatAKilledOneLeft(t *testing.T) {
	mounted(t, "")
	if err := os.Mkdir(filepath.Join(resctrl.Root, "vlibos.left"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := make(domains)
	if err := set(t, "vlibos.left/tasks", strconv.Itoa(d.start(t, "web"))); err != nil {
		t.Fatal(err)
	}
	g := opened(t, d)
	if got := groups(t); !slices.Equal(got, []string{"other"}) || !d.in(t, "web", "") {
		t.Errorf("groups %q", got)
	}
	// The file system's own files stay.
	if _, err := os.Stat(filepath.Join(resctrl.Root, "info")); errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if !g.Layout().Has() {
		t.Error("there is nothing to share")
	}
}
