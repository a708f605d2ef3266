// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package multicpu

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// stressTime is how long the test runs; VLIBOS_STRESS changes it.
func stressTime(t *testing.T) time.Duration {
	text := os.Getenv("VLIBOS_STRESS")
	if text == "" {
		return 40 * time.Second
	}
	d, err := time.ParseDuration(text)
	host.Must(t, err)
	return d
}

// stressSeed determines the changes; VLIBOS_SEED repeats them, except for the order of
// threads.
func stressSeed(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("VLIBOS_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		host.Must(t, err)
	}
	t.Logf("VLIBOS_SEED=%d", seed)
	fmt.Printf("VLIBOS_SEED=%d\n", seed) // printed in case Xen does not survive
	return seed
}

// Several threads change gates, reservations, throttles and leases of two domains at the
// same time, call, and use the toolstack's handles, pinning, pausing, pools and offline
// CPUs. After that the domains are as they were. Each call ends in its time.
func TestDomainsSurviveConcurrentChanges(t *testing.T) {
	m, h := host.Module(t)
	seed := stressSeed(t)
	var before [3]xenctl.DomainInfo // by number
	for domid := range before {
		var err error
		before[domid], err = h.DomainInfo(uint16(domid))
		host.Must(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), stressTime(t))
	defer cancel()
	var work sync.WaitGroup
	var done sync.Map
	var echoes atomic.Int64
	loop := func(name string, stream uint64, step func(r *rand.Rand)) {
		work.Go(func() {
			r := rand.New(rand.NewPCG(seed, stream))
			n := 0
			for ; ctx.Err() == nil; n++ {
				step(r)
			}
			done.Store(name, n)
		})
	}
	domid := func(r *rand.Rand) uint16 { return uint16(1 + r.IntN(2)) }
	id := func(r *rand.Rand) uint32 { return uint32(1 + r.IntN(6)) }
	loop("reservations", 1, func(r *rand.Rand) {
		switch r.IntN(6) {
		case 0, 1:
			m.Reserve(id(r), time.Duration(1+r.IntN(20))*ms, time.Duration(20+r.IntN(80))*ms)
		case 2:
			m.Unreserve(id(r))
		case 3:
			m.Adopt(domid(r), id(r))
		case 4:
			m.Adopt(domid(r), 0)
		case 5:
			m.Allow(domid(r), id(r))
		}
	})
	loop("gates", 2, func(r *rand.Rand) {
		switch r.IntN(5) {
		case 0:
			m.SetDomain(domid(r), vlib.Closed, 0)
		case 1, 2:
			m.SetDomain(domid(r), 0, vlib.Closed)
		case 3:
			m.SetDomain(domid(r), vlib.StopTime, vlib.Closed)
		case 4:
			d := domid(r)
			if hold, err := m.Hold(d, 50*ms); err == nil && r.IntN(2) == 0 {
				m.Drop(d, hold)
			}
		}
		time.Sleep(ms)
	})
	loop("throttles", 3, func(r *rand.Rand) {
		switch r.IntN(3) {
		case 0:
			m.Throttle(r.IntN(3), 10*ms, time.Duration(r.IntN(11))*ms)
		case 1:
			m.Lease(time.Duration(1+r.IntN(100)) * ms)
		case 2:
			m.Domain(domid(r))
			m.CPU(r.IntN(3))
			m.Reservation(id(r))
			m.Info()
		}
		time.Sleep(ms)
	})
	loop("handles", 8, func(r *rand.Rand) {
		// As toolstacks do when they rename a domain.
		var uuid [16]byte
		binary.LittleEndian.PutUint64(uuid[r.IntN(9):], r.Uint64())
		if err := h.SetUUID(domid(r), uuid); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * ms)
	})
	loop("calls", 4, func(r *rand.Rand) {
		// Each call ends in its time, whatever the other threads do.
		c, cancel := context.WithTimeout(ctx, 200*ms)
		defer cancel()
		m.Call(id(r), vlib.Request{Domain: domid(r), Port: 1 + r.Uint32N(40), Number: 1 + r.Uint64N(5)}, time.Duration(1+r.IntN(50))*ms)
		<-c.Done()
		m.CancelAll(id(r))
	})
	loop("tools", 5, func(r *rand.Rand) {
		name := fmt.Sprintf("vlib%d", domid(r))
		cpu := strconv.Itoa(r.IntN(3))
		switch r.IntN(7) {
		case 0:
			tool(t, "xl", "vcpu-pin", name, "all", cpu)
		case 1:
			tool(t, "xl", "vcpu-pin", name, "all", "all")
		case 2:
			tool(t, "xl", "pause", name)
			tool(t, "xl", "unpause", name)
		case 3:
			tool(t, "xl", "cpupool-cpu-remove", "Pool-0", "2")
			tool(t, "xl", "cpupool-create", `name="other"`, `sched="credit2"`, `cpus=["2"]`)
			tool(t, "xl", "cpupool-migrate", name, "other")
			tool(t, "xl", "cpupool-migrate", name, "Pool-0")
			tool(t, "xl", "cpupool-destroy", "other")
			tool(t, "xl", "cpupool-cpu-add", "Pool-0", "2")
		case 4:
			tool(t, "xl", "vcpu-set", "Domain-0", strconv.Itoa(1+r.IntN(2)))
		case 5:
			tool(t, "xen-hptool", "cpu-offline", "2")
			tool(t, "xen-hptool", "cpu-online", "2")
		case 6:
			passing(t, m, r)
		}
	})
	for domid := uint16(1); domid <= 2; domid++ {
		loop(fmt.Sprintf("echoes %d", domid), uint64(5+domid), func(r *rand.Rand) {
			if answered, late := echoOnce(ctx, domid); answered {
				echoes.Add(1)
			} else if late > callBound {
				t.Errorf("a call of domain %d ended after %v", domid, late)
			}
		})
	}
	work.Wait()
	t.Logf("%d calls were answered", echoes.Load())
	if echoes.Load() == 0 {
		t.Error("no call was answered meanwhile")
	}
	done.Range(func(name, n any) bool { t.Logf("%v: %v steps", name, n); return n.(int) > 0 })

	// Everything is undone, and everything is as it was.
	host.Must(t, m.Lease(0))
	tool(t, "xen-hptool", "cpu-online", "2")
	tool(t, "xl", "cpupool-cpu-add", "Pool-0", "2")
	host.Must(t, tool(t, "xl", "vcpu-set", "Domain-0", "2"))
	for id := uint32(1); id <= 6; id++ {
		m.Unreserve(id)
	}
	for cpu := range 3 {
		host.Must(t, m.Throttle(cpu, 0, 0))
	}
	info, err := m.Info()
	host.Must(t, err)
	if info.Reservations != 0 || info.CPUs != 3 {
		t.Errorf("left over: %+v", info)
	}
	for domid := uint16(1); domid <= 2; domid++ {
		host.Must(t, tool(t, "xl", "vcpu-pin", fmt.Sprintf("vlib%d", domid), "all", "all"))
		host.Must(t, m.SetDomain(domid, 0, vlib.Closed|vlib.StopTime))
		host.Must(t, h.SetUUID(domid, before[domid].UUID))
		d, err := h.DomainInfo(domid)
		host.Must(t, err)
		if d.Paused || d.Dying || d.Shutdown {
			t.Errorf("domain %d is left as %+v", domid, d)
		}
		c := open(t, domid, 0)
		if out, err := c.Call(t.Context(), builtin.Library, builtin.Echo, []byte("still there"), nil); err != nil || string(out) != "still there" {
			t.Errorf("domain %d: %q, %v", domid, out, err)
		}
	}
	out, err := exec.Command("xl", "dmesg").CombinedOutput()
	host.Must(t, err)
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "BUG") || strings.Contains(line, "WARN") || strings.Contains(line, "Assertion") {
			t.Errorf("Xen's log: %s", line)
		}
	}
}

// passing creates one more domain, lets it run on a reservation, and destroys it. It is a
// copy of another one, in memory that Dom0 frees for it.
func passing(t *testing.T, m *vlib.Module, r *rand.Rand) {
	tool(t, "xl", "mem-set", "Domain-0", "700")
	if tool(t, "xl", "create", "/etc/xen/vlib2.cfg", `name="passing"`, "memory=160") != nil {
		return
	}
	out, err := exec.Command("xl", "domid", "passing").Output()
	if err == nil {
		if domid, err := strconv.ParseUint(strings.TrimSpace(string(out)), 10, 16); err == nil {
			m.Adopt(uint16(domid), 1+r.Uint32N(6))
			m.SetDomain(uint16(domid), vlib.Listens|vlib.StopTime, 0)
		}
	}
	time.Sleep(time.Duration(r.IntN(500)) * ms)
	tool(t, "xl", "destroy", "passing")
}

// callBound limits the time in which a call must end, whatever is done to its
// domain.
const callBound = time.Minute

// echoOnce opens a channel and calls, whatever happens to the domain. It returns whether a
// call was answered, and how long all took.
func echoOnce(ctx context.Context, domid uint16) (answered bool, took time.Duration) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	d, err := xen.Open(ctx, domid)
	if err != nil {
		return false, time.Since(begun)
	}
	defer d.Close()
	c, err := vlibcall.Open(ctx, d, vlibcall.Options{Size: 8192, Timeout: 5 * time.Second})
	if err != nil {
		return false, time.Since(begun)
	}
	defer c.Close()
	for range 20 {
		if _, err = c.Call(ctx, builtin.Library, builtin.Echo, []byte("there"), nil); err != nil {
			return answered, time.Since(begun)
		}
		answered = true
	}
	return answered, time.Since(begun)
}

// A domain is destroyed while calls to it are active and queued. Each ends once, and the
// reservations are free.
func TestCallsOfADestroyedDomainEndOnce(t *testing.T) {
	m, _ := host.Module(t)
	host.Must(t, m.SetDomain(2, vlib.Listens, 0))
	var pending []*vlibcall.Pending
	for id := uint32(1); id <= 3; id++ {
		host.Must(t, m.Reserve(id, 5*ms, 50*ms))
		host.Must(t, m.Allow(2, id))
		c := open(t, 2, id)
		pending = append(pending, c.Go(t.Context(), builtin.Library, builtin.Run, host.Shell(t, "sleep 600"), nil))
	}
	time.Sleep(500 * ms)
	host.Must(t, tool(t, "xl", "destroy", "vlib2"))
	for i, p := range pending {
		select {
		case <-p.Done():
			if _, err := p.Result(); err == nil {
				t.Errorf("call %d of a destroyed domain succeeded", i+1)
			}
		case <-time.After(testkit.Patience):
			t.Fatalf("call %d of a destroyed domain does not end", i+1)
		}
	}
	for id := uint32(1); id <= 3; id++ {
		testkit.Eventually(t, fmt.Sprintf("call %d has ended in the module", id), func() bool {
			r, err := m.Reservation(id)
			host.Must(t, err)
			return r.Call.Over()
		})
		host.Must(t, m.Unreserve(id))
	}
}
