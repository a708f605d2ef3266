// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package linux

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench/mjump"
	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory/resctrl"
	"github.com/vlibos/vlibos/internal/testkit"
	suite "github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/throttle/model"
)

// IDs are those of the emulated icelake-server (lab/processor/emulator/models.c).
const ids = 224

// caches is what the master says of them.
func caches(t *testing.T) (c api.Caches) {
	t.Helper()
	suite.Must(t, json.Unmarshal([]byte(suite.Run(t, "vlibmaster", "cache", "show", "--json")), &c))
	return c
}

// use is what the master says of a domain's use.
func use(t *testing.T, domain string) host.CacheUse {
	t.Helper()
	c := caches(t)
	for _, class := range append(c.Classes, api.CacheClass{Members: c.Without}) {
		for _, m := range class.Members {
			if m.ID == domain && m.Use != nil {
				return *m.Use
			}
		}
	}
	t.Fatalf("nothing is known of %s: %+v", domain, c)
	return host.CacheUse{}
}

// monitoring is the folder of a domain's monitoring group, in the group of a class.
func monitoring(class, domain string) string {
	return filepath.Join(class, "mon_groups", "vlibos."+domain)
}

// cgroup is that of a domain.
func cgroup(domain string) string { return filepath.Join("/sys/fs/cgroup/vlibos", domain) }

// followed waits until a domain's monitoring group, in the group of a class, has just its
// threads, n of them.
func followed(t *testing.T, class, domain string, n int) {
	t.Helper()
	numbers := func(file string) (all []string) {
		text, _ := os.ReadFile(file) // the group may come later
		all = strings.Fields(string(text))
		slices.Sort(all)
		return all
	}
	var has, wants []string
	defer func() {
		if t.Failed() {
			t.Logf("%s: threads %q, monitored %q", domain, wants, has)
		}
	}()
	testkit.Eventually(t, domain+"'s threads to be monitored", func() bool {
		use(t, domain)
		has, wants = numbers(filepath.Join(resctrl.Root, monitoring(class, domain), "tasks")), numbers(filepath.Join(cgroup(domain), "cgroup.threads"))
		return len(has) == n && slices.Equal(has, wants)
	})
}

// move puts a process into a cgroup.
func move(t *testing.T, pid int, dir string) {
	t.Helper()
	suite.Must(t, os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0))
}

// left are the monitoring groups in the default group with a prefix.
func left(t *testing.T, prefix string) (names []string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(resctrl.Root, "mon_groups", prefix+"*"))
	suite.Must(t, err)
	for _, dir := range all {
		names = append(names, filepath.Base(dir))
	}
	return names
}

// A domain's threads are monitored in whatever class they are, also those that come later, and
// no longer when they have left. What the master made ends with it, or, if it is killed, with
// the next one. Other programs' groups stay as they are.
func TestDaemonMonitorsThreadsWhereverTheyGo(t *testing.T) {
	if out := suite.Run(t, "vlibmaster", "--host", "native", "doctor"); !strings.Contains(out, "cache use of domains") || !strings.Contains(out, "mount -t resctrl") {
		t.Errorf("where nothing is mounted doctor says\n%s", out)
	}
	mounted(t, "")
	out := suite.Run(t, "vlibmaster", "--host", "native", "doctor")
	t.Logf("\n%s", out)
	if !strings.Contains(out, fmt.Sprint(ids, " monitoring IDs")) {
		t.Error("doctor does not say how many IDs there are")
	}
	d := make(domains)
	stranger := d.start(t, "stranger")
	group(t, "mon_groups/theirs")
	suite.Must(t, set(t, "mon_groups/theirs/tasks", strconv.Itoa(stranger)))

	run(t, "web", "sleep", "100000")
	run(t, "db", "sleep", "100000")
	m := serve(t, wideClass)
	followed(t, "vlibos.wide", "web", 1)
	followed(t, "", "db", 1)
	if c := caches(t); c.Capacity != 3<<20 || c.Unmonitored != "" {
		t.Errorf("%+v", c)
	}

	// One that joins, the one that it forks then, and where it goes.
	shell := exec.Command("sh", "-c", "read x; sleep 100000 & wait")
	begin, err := shell.StdinPipe()
	suite.Must(t, err)
	suite.Must(t, shell.Start())
	t.Cleanup(func() {
		shell.Process.Kill()
		shell.Wait()
	})
	move(t, shell.Process.Pid, cgroup("web"))
	followed(t, "vlibos.wide", "web", 2)
	suite.Must(t, begin.Close())
	followed(t, "vlibos.wide", "web", 3)
	move(t, shell.Process.Pid, cgroup("db"))
	followed(t, "vlibos.wide", "web", 2)
	move(t, shell.Process.Pid, "/sys/fs/cgroup")
	followed(t, "", "db", 1)

	// Classes that change take their monitoring with them.
	suite.Must(t, os.WriteFile(m.file, []byte(strings.ReplaceAll(wideClass, "web", "db")), 0o600))
	m.Process.Signal(unix.SIGHUP)
	followed(t, "", "web", 2)
	followed(t, "vlibos.wide", "db", 1)

	// IDs run out: that is the last domain's problem.
	var taken []string
	for {
		name := filepath.Join(resctrl.Root, "mon_groups", fmt.Sprint("taken", len(taken)))
		if err := os.Mkdir(name, 0o755); errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EBUSY) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(name) })
		taken = append(taken, name)
	}
	t.Logf("%d groups of another program take the other IDs", len(taken))
	run(t, "batch", "sleep", "100000")
	want := fmt.Sprintf("all of the processor's %d monitoring IDs are in use", ids)
	if u := use(t, "batch"); u.Problem != want {
		t.Errorf("without an ID: %+v", u)
	}
	if u := use(t, "web"); u.Problem != "" {
		t.Errorf("beside it: %+v", u)
	}
	t.Logf("\n%s\n%s", suite.Run(t, "vlibmaster", "cache", "show"), suite.Run(t, "vlibmaster", "ps", "-a"))
	suite.Must(t, os.Remove(taken[0]))
	followed(t, "", "batch", 1)

	// A kill leaves the groups; the next master removes them, also those of domains that have
	// ended since.
	m.end(unix.SIGKILL)
	if got := left(t, "vlibos."); len(got) != 2 {
		t.Errorf("after a kill: %q", got)
	}
	suite.Run(t, "vlibmaster", "cgroup", "remove", "batch")
	m = serve(t, "")
	followed(t, "", "db", 1)
	if got := left(t, "vlibos."); !slices.Equal(got, []string{"vlibos.db", "vlibos.web"}) {
		t.Errorf("after the next start: %q", got)
	}
	m.end(unix.SIGTERM)
	if got := left(t, "vlibos."); len(got) > 0 {
		t.Errorf("after the end: %q", got)
	}
	if got := left(t, "t"); len(got) != len(taken) || strings.TrimSpace(read(t, "mon_groups/theirs/tasks")) != strconv.Itoa(stranger) {
		t.Errorf("other programs' groups: %q", got)
	}
}

// A domain with lines for far more fills the eight ways of its class, of 256 KiB each, which no
// other may fill, and moves what its CPU has turns for on the bus.
func TestFootprintOfADomainIsShown(t *testing.T) {
	const cpu, footprint, line = 1, 2 << 20, 64
	b, err := model.Open()
	suite.Must(t, err)
	t.Cleanup(func() { b.Close() })
	service := b.Service()
	suite.Must(t, b.SetService(0)) // programs start as fast as without the model
	mounted(t, "")
	suite.Must(t, set(t, "schemata", "L3:0=f00\n"))
	t.Cleanup(func() { suite.Must(t, set(t, "schemata", "L3:0=fff\n")) })
	serve(t, "[[cache]]\nname = \"wide\"\nl3 = \"67%\"\ndomains = [\"web\"]\n")
	run(t, "web", "taskset", "-c", strconv.Itoa(cpu), program, mjump.Batch)
	followed(t, "vlibos.wide", "web", 1)
	turns := func() uint64 {
		c, err := b.Read(cpu)
		suite.Must(t, err)
		return c.Requests
	}
	// Nothing is counted, and no line filled, while the model is off.
	pass := func() host.CacheUse {
		t.Helper()
		suite.Must(t, b.SetService(service))
		for from := turns(); turns()-from < 3*footprint/line; {
			time.Sleep(10 * time.Millisecond)
		}
		suite.Must(t, b.SetService(0))
		return use(t, "web")
	}
	first, from := pass(), turns()
	second, over := pass(), (turns()-from)*line
	moved := second.Moved - first.Moved
	rate := second.Rate
	testkit.Eventually(t, "a rate is known, once the first look is a second old", func() bool {
		if rate == 0 {
			rate = use(t, "web").Rate
		}
		return rate > 0
	})
	t.Logf("%d bytes in the cache, footprint %d; %d bytes moved, %d over the bus; %.0f bytes a second",
		second.Occupied, footprint, moved, over, rate)
	if off := math.Abs(float64(second.Occupied)/footprint - 1); off > 0.05 {
		t.Errorf("occupancy is off by %.1f %%", 100*off)
	}
	if off := math.Abs(float64(moved)/float64(over) - 1); off > 0.05 {
		t.Errorf("what it moved is off by %.1f %%", 100*off)
	}
	text := suite.Run(t, "vlibmaster", "cache", "show")
	ps := suite.Run(t, "vlibmaster", "ps", "-a")
	described := suite.Run(t, "vlibmaster", "describe", "web")
	t.Logf("\n%s\n%s\n%s", text, ps, described)
	for _, out := range []string{text, ps, described} {
		if !strings.Contains(out, "2.0 MiB") && !strings.Contains(out, "1.9 MiB") {
			t.Error("the footprint is not shown in each")
		}
	}
}

// Booted with rdt=!cmt.
func TestWithoutMonitoringNothingIsShown(t *testing.T) {
	mounted(t, "")
	out := suite.Run(t, "vlibmaster", "--host", "native", "doctor")
	t.Logf("\n%s", out)
	if !strings.Contains(out, "rdt=!cmt") {
		t.Error("doctor does not say why")
	}
	run(t, "web", "sleep", "100000")
	serve(t, wideClass)
	c := caches(t)
	if !strings.Contains(c.Unmonitored, "rdt=!cmt") || c.Capacity != 0 || len(c.Classes) != 1 || len(c.Classes[0].Members) != 1 || c.Classes[0].Members[0].Use != nil {
		t.Errorf("%+v", c)
	}
}
