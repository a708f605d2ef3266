// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
)

// counting is the tree of a kernel that monitors two caches, with the monitoring group of the
// domain "web", which a test's folder cannot make as the kernel does.
func counting() map[string]string {
	all := maps.Clone(server())
	maps.Copy(all, map[string]string{
		"tasks": "", "info/L3_MON/num_rmids": "144\n", "info/L3_MON/mon_features": "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n",
		"mon_groups/vlibos.web/tasks": "",
	})
	for _, cache := range []string{"00", "01"} {
		dir := "mon_groups/vlibos.web/mon_data/mon_L3_" + cache + "/"
		all[dir+occupancy], all[dir+traffic] = "65536\n", "640\n"
	}
	return all
}

// started is a monitor of that tree, and of threads by domain.
func started(t *testing.T, tree map[string]string, threads Threads) *Monitor {
	t.Helper()
	empty := maps.Clone(tree)
	maps.DeleteFunc(empty, func(name, _ string) bool { return strings.HasPrefix(name, "mon_groups") })
	m := &Monitor{root: files(t, empty), proc: t.TempDir(), prefix: "vlibos.", threads: threads}
	if err := m.open(); err != nil {
		t.Fatal(err)
	}
	write(t, m.root, tree)
	return m
}

// where sets the groups of a thread.
func where(t *testing.T, m *Monitor, tid, groups string) {
	t.Helper()
	write(t, m.proc, map[string]string{tid + "/cpu_resctrl_groups": groups})
}

func TestWhatIsNotMonitoredSaysWhy(t *testing.T) {
	none, empty := counting(), t.TempDir()
	maps.DeleteFunc(none, func(name, _ string) bool { return strings.HasPrefix(name, "info/L3_MON") })
	local := counting()
	local["info/L3_MON/mon_features"] = "mbm_local_bytes\n"
	for root, want := range map[string]string{
		filepath.Join(empty, "none"): "neither Intel RDT nor AMD QoS",
		empty:                        "mount -t resctrl",
		files(t, none):               "rdt=!cmt",
		files(t, local):              "rdt=!cmt",
	} {
		if n, err := IDs(root); n != 0 || !errors.Is(err, host.ErrNotHere) || !strings.Contains(err.Error(), want) {
			t.Errorf("%d, %v, want %q", n, err, want)
		}
	}
	if n, err := IDs(files(t, counting())); n != 144 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	broken := counting()
	broken["info/L3_MON/num_rmids"] = "many"
	if _, err := IDs(files(t, broken)); err == nil || errors.Is(err, host.ErrNotHere) {
		t.Errorf("a number that is none: %v", err)
	}
}

// A domain that cannot be monitored is no other's problem. Threads in other programs' groups stay
// there.
func TestADomainThatCannotBeMonitoredHasTheReason(t *testing.T) {
	refused := errors.New("the list is denied")
	m := started(t, counting(), func(domain string) ([]int, error) {
		switch domain {
		case "web":
			return []int{7}, nil
		case "denied":
			return nil, refused
		case "gone":
			return nil, host.ErrNoDomain
		}
		return []int{8, 9}, nil
	})
	where(t, m, "7", "res:/\nmon:\n")
	all := []host.Domain{{ID: "web"}, {ID: "other"}, {ID: "denied"}, {ID: "gone"}}
	for groups, want := range map[[2]string]string{
		{"res:/\nmon:\n", "res:pqos\nmon:\n"}:               `thread 9 is in another program's group "pqos"`,
		{"res:/\nmon:\n", "res:/\nmon:kepler\n"}:            `thread 9 is in another program's group "kepler"`,
		{"res:vlibos.wide\nmon:\n", "res:/\nmon:\n"}:        `two groups`,
		{"res:vlibos.none\nmon:\n", "res:vlibos.none\n"}:    "vlibos.none does not exist",
		{"res:/\nmon:vlibos.web\n", "res:/\nmon:another\n"}: `"another"`,
	} {
		where(t, m, "8", groups[0])
		where(t, m, "9", groups[1])
		use, err := m.Read(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(use["other"].Problem, want) || use["denied"].Problem != refused.Error() || use["gone"].Problem != "" {
			t.Errorf("%+v, want %q", use, want)
		}
		if u := use["web"]; u.Problem != "" || u.Occupied != 2*65536 || u.Moved != 0 {
			t.Errorf("beside it: %+v", u)
		}
	}
}

func TestCountersThatTheKernelLacksAreTheDomainsProblem(t *testing.T) {
	m := started(t, counting(), func(string) ([]int, error) { return []int{7}, nil })
	where(t, m, "7", "res:/\nmon:\n")
	dir := filepath.Join("mon_groups", "vlibos.web", "mon_data", "mon_L3_01")
	web := []host.Domain{{ID: "web", Generation: 1}}
	read := func(name, text string) host.CacheUse {
		t.Helper()
		write(t, m.root, map[string]string{filepath.Join(dir, name): text})
		use, err := m.Read(t.Context(), web)
		if err != nil {
			t.Fatal(err)
		}
		return use["web"]
	}
	read(traffic, "640\n")
	if u := read(traffic, "1664\n"); u.Moved != 1024 || u.Occupied != 131072 || u.Problem != "" {
		t.Errorf("%+v", u)
	}
	for _, name := range []string{occupancy, traffic} {
		if u := read(name, "Unavailable\n"); !strings.Contains(u.Problem, name+" of 1 of 2 caches") || u.Occupied != 0 {
			t.Errorf("%s: %+v", name, u)
		}
		if u := read(name, "65536\n"); u.Problem != "" {
			t.Errorf("%s is there again: %+v", name, u)
		}
	}
	// Another domain of that name has moved nothing yet.
	web[0].Generation = 2
	if u := read(occupancy, "0\n"); u.Moved != 0 || u.Occupied != 65536 {
		t.Errorf("another domain: %+v", u)
	}
}

// What the kernel did not remove is tried again.
func TestGroupsThatCannotBeRemovedAreAnError(t *testing.T) {
	m := started(t, counting(), func(string) ([]int, error) { return []int{7}, nil })
	where(t, m, "7", "res:/\nmon:\n")
	if _, err := m.Read(t.Context(), []host.Domain{{ID: "web"}}); err != nil {
		t.Fatal(err)
	}
	// A folder with files in it is not removed as the kernel's are.
	for range 2 {
		if err := m.Close(); !errors.Is(err, unix.ENOTEMPTY) {
			t.Errorf("%v", err)
		}
	}
	if err := os.RemoveAll(filepath.Join(m.root, "mon_groups")); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil || len(m.seen) > 0 {
		t.Errorf("%v, %v", err, m.seen)
	}
}

// Each cache counts once, whatever CPUs show it.
func TestCapacityIsOfAllThirdLevelCaches(t *testing.T) {
	all := make(map[string]string)
	for cpu, id := range map[string]string{"cpu0": "0", "cpu1": "0", "cpu2": "1"} {
		all[cpu+"/cache/index2/level"], all[cpu+"/cache/index2/id"], all[cpu+"/cache/index2/size"] = "2\n", id, "1024K\n"
		all[cpu+"/cache/index3/level"], all[cpu+"/cache/index3/id"], all[cpu+"/cache/index3/size"] = "3\n", id, "3072K\n"
	}
	if n := capacity(files(t, all)); n != 6<<20 {
		t.Errorf("%d", n)
	}
	if n := capacity(t.TempDir()); n != 0 {
		t.Errorf("nothing: %d", n)
	}
}
