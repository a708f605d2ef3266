// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/xapi"
	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/rtsched"
)

// The storm: that many VMs, of which some run here and have requests, and that many
// changes a second.
const (
	stormVMs     = 10_000
	stormHere    = 100
	stormChanges = 1000
)

// What a follower may use in a storm: memory in MiB, and a share of a core.
const (
	mostMemory = 100
	mostCPU    = 0.20
)

func stormUUID(i int) string { return fmt.Sprintf("bbbbbbbb-0000-0000-0000-%012d", i) }

// found is what the follower has at the end: names by UUID, and budgets by domain.
type found struct {
	Names   map[string]string
	Budgets map[string]time.Duration
	Memory  int           // the most, in KiB
	CPU     time.Duration // from the first line to the last
}

// TestStormHelper is the follower, in a process of its own. It writes a line when it
// has all VMs, and another when it has seen the VM "end".
func TestStormHelper(t *testing.T) {
	socket := os.Getenv("VLIBOS_STORM_SOCKET")
	if socket == "" {
		t.Skip("part of TestStormOfChangesMissesNothing")
	}
	debug.SetGCPercent(150) // as in serve
	h := &fakeHost{on: make(map[string]rtsched.Task)}
	var all []host.Domain
	for i := range stormHere {
		all = append(all, host.Domain{ID: fmt.Sprint(i + 1), UUID: stormUUID(i), Name: "xenstore's", CPUs: []int{i}})
	}
	h.run(all...)
	inventory := filepath.Join(t.TempDir(), "inventory")
	if err := os.WriteFile(inventory, []byte("INSTALLATION_UUID='"+xapitest.Host+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	b := New(inventory, t.TempDir(), log)
	m, err := master.Open(t.Context(), b.Named(h), t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := b.Move(config.XAPI{Options: xapi.Options{Address: socket}}, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { b.Run(ctx, m, new(classes)); close(done) }()
	until := func(f func() bool) {
		for tick := time.NewTicker(20 * time.Millisecond); !f(); {
			<-tick.C
		}
	}
	until(func() bool { return b.Status().Known && len(h.list()) == stormHere })
	begin := used(t)
	fmt.Println("storm: complete")
	until(func() bool { v := b.pool.VM(stormUUID(stormVMs)); return v != nil && v.Name == "end" })
	f := found{Names: make(map[string]string), CPU: used(t) - begin, Memory: most(t)}
	for i := range stormVMs {
		f.Names[stormUUID(i)] = b.pool.VM(stormUUID(i)).Name
	}
	last := b.pool.Find(func(v *xapi.VM, here bool) bool { return here && asks(v) })
	until(func() bool { // the last requests are carried out
		for _, v := range last {
			if r, err := reservation(v); err != nil || h.budget(domainOf(v.UUID)) != r.Budget {
				return false
			}
		}
		return true
	})
	f.Budgets = h.list()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("storm: %s\n", text)
	cancel()
	<-done
}

// domainOf is the number of a VM's domain.
func domainOf(uuid string) string {
	var i int
	fmt.Sscanf(uuid[strings.LastIndexByte(uuid, '-')+1:], "%d", &i)
	return fmt.Sprint(i + 1)
}

// list are the budgets by domain.
func (h *fakeHost) list() map[string]time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[string]time.Duration)
	for id, task := range h.on {
		all[id] = task.Budget
	}
	return all
}

// used is the CPU time of this process.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// most is the most memory that this process had, in KiB.
func most(t *testing.T) (kib int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}

// A follower of 10,000 VMs with 1,000 changes a second misses none, and needs little.
// VLIBOS_STORM is how long; 'make test SUITE=storm' runs it for a minute.
func TestStormOfChangesMissesNothing(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("VLIBOS_STORM"))
	if err != nil {
		t.Skip("takes a minute: make test SUITE=storm")
	}
	x := xapitest.New()
	names, budgets := make(map[string]string), make(map[string]time.Duration)
	for i := range stormVMs + 1 {
		v := xapitest.VM{UUID: stormUUID(i), Name: fmt.Sprint("vm-", i), Power: "Running", Domid: i + 1, Host: xapitest.OtherHost, Tags: []string{"prod", "storm"}}
		if i < stormHere {
			v.Host = xapitest.HostRef
			v.OtherConfig = map[string]string{"vlibos:budget": "10ms", "vlibos:period": "100ms"}
			budgets[domainOf(v.UUID)] = 10 * ms
		}
		if i < stormVMs {
			names[v.UUID] = v.Name
		}
		x.Add(v)
	}
	socket := x.Listen(t, filepath.Join(t.TempDir(), "xapi"))
	c := exec.Command(os.Args[0], "-test.run", "^TestStormHelper$", "-test.timeout", (length + 5*time.Minute).String())
	c.Env = append(os.Environ(), "VLIBOS_STORM_SOCKET="+socket, "GOMAXPROCS=4")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	lines := bufio.NewReader(out)
	line := func() string {
		for {
			text, err := lines.ReadString('\n')
			if rest, ok := strings.CutPrefix(text, "storm: "); ok {
				return rest
			}
			if err != nil {
				t.Fatalf("the follower ended: %q", text)
			}
		}
	}
	begin := time.Now()
	line()
	t.Logf("all %d VMs after %v", stormVMs, time.Since(begin))
	begin = time.Now()
	tick := time.NewTicker(time.Second / stormChanges)
	defer tick.Stop()
	changes := 0
	for end := begin.Add(length); time.Now().Before(end); <-tick.C {
		for ; changes < int(time.Since(begin)*stormChanges/time.Second); changes++ {
			i := rand.IntN(stormVMs)
			if changes%100 == 0 { // one in a hundred is a request
				i = rand.IntN(stormHere)
				budgets[domainOf(stormUUID(i))] = time.Duration(1+rand.IntN(50)) * ms
				x.Set("OpaqueRef:"+stormUUID(i), "vlibos:budget", budgets[domainOf(stormUUID(i))].String())
				continue
			}
			names[stormUUID(i)] = fmt.Sprint("vm-", i, "-", changes)
			x.Change("OpaqueRef:"+stormUUID(i), func(v *xapitest.VM) { v.Name = names[stormUUID(i)] })
		}
	}
	took := time.Since(begin)
	x.Change("OpaqueRef:"+stormUUID(stormVMs), func(v *xapitest.VM) { v.Name = "end" })
	var f found
	if err := json.Unmarshal([]byte(line()), &f); err != nil {
		t.Fatal(err)
	}
	missed := 0
	for uuid, name := range names {
		if f.Names[uuid] != name {
			missed++
		}
	}
	for id, budget := range budgets {
		if f.Budgets[id] != budget {
			missed++
		}
	}
	share := f.CPU.Seconds() / took.Seconds()
	t.Logf("%d changes in %v: %.0f a second; %d missed; at most %d MiB (limit %d); %v of CPU, %.1f %% of a core (limit %.0f %%); %d statuses were written",
		changes, took.Round(time.Millisecond), float64(changes)/took.Seconds(), missed, f.Memory>>10, mostMemory, f.CPU.Round(time.Millisecond), 100*share, 100*mostCPU, x.Calls("VM.add_to_other_config"))
	if missed > 0 || f.Memory>>10 > mostMemory || share > mostCPU {
		t.Error("more than the limits")
	}
}
