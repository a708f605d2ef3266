// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"context"
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// vlib1 is the first DomU of the lab.
const vlib1 = 1

// open makes vlib1 a vLib OS until the end of the test, and opens a channel to it whose
// calls are paid from a reservation.
func open(t *testing.T, m *vlib.Module, reservation uint32) *vlibcall.Channel {
	t.Helper()
	for _, err := range []error{
		m.Reserve(reservation, 10*ms, 50*ms), m.SetDomain(vlib1, vlib.Listens, 0), m.Allow(vlib1, reservation),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := m.SetDomain(vlib1, 0, vlib.Listens); err != nil {
			t.Error(err)
		}
		if err := m.Unreserve(reservation); err != nil {
			t.Error(err)
		}
	})
	return host.Open(t, vlib1, vlibcall.Options{Reservation: transport.Reservation(reservation)})
}

// A call that is active when the master is killed ends once and is charged once. No gate
// and no throttle outlasts the lease. The next master closes gates again.
func TestActiveCallOutlivesTheMasterAndIsChargedOnce(t *testing.T) {
	d := host.Serve(t)
	m, _ := host.Module(t)
	c := open(t, m, 7)
	const throttled = 1
	if err := m.Throttle(throttled, 10*ms, 5*ms); err != nil {
		t.Fatal(err)
	}
	pending := c.Go(context.Background(), builtin.Library, builtin.Run, host.Shell(t, "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done"), nil)
	testkit.Eventually(t, "the call is active", func() bool {
		r, err := m.Reservation(7)
		return err == nil && r.Cost.Foreground > ms
	})
	if err := d.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.Wait()
	killed := time.Now()
	<-pending.Done()
	if _, err := pending.Result(); err != nil {
		t.Errorf("the active call: %v", err)
	}
	r, err := m.Reservation(7)
	// The total includes opening the channel, and what ran after the answer.
	total, cost := r.Total.Foreground+r.Total.Background, r.Cost.Foreground+r.Cost.Background
	if err != nil || r.Calls != 1 || r.Call != vlib.CallDone || cost < 100*ms || total < cost || total > cost+cost/10 {
		t.Errorf("one call, charged once: %+v, %v", r, err)
	}
	time.Sleep(time.Until(killed.Add(master.Lease + 100*ms)))
	info, err := m.Domain(vlib1)
	if err != nil || !info.Open {
		t.Errorf("after the lease: %+v, %v", info, err)
	}
	if cpu, err := m.CPU(throttled); err != nil || cpu.Throttle != 0 {
		t.Errorf("after the lease: %+v, %v", cpu, err)
	}
	host.Serve(t)
	if _, err := c.Call(t.Context(), builtin.Library, builtin.Echo, []byte("x"), nil); err != nil {
		t.Errorf("a call under the next master: %v", err)
	}
	testkit.Eventually(t, "an idle vLib OS is gated again", func() bool {
		info, err := m.Domain(vlib1)
		return err == nil && info.Listening && !info.Open
	})
}

// Changes of the wall clock change no budget.
func TestWallClockChangesNoBudget(t *testing.T) {
	host.Serve(t)
	spin(t, "vlib1")
	spin(t, "vlib2")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	set := func(by time.Duration) {
		t.Helper()
		ts := unix.NsecToTimespec(time.Now().Add(by).UnixNano())
		if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { host.Run(t, "vlibmaster", "release", "vlib1") })
	time.Sleep(time.Second)
	for _, by := range []time.Duration{time.Hour, -2 * time.Hour, time.Hour} {
		set(by)
		before, begun := adopted(t, "vlib1"), time.Now()
		time.Sleep(3 * time.Second)
		after, took := adopted(t, "vlib1"), time.Since(begun)
		share := float64(after.Foreground-before.Foreground) / float64(took)
		t.Logf("clock set by %v: foreground %.3f %%", by, 100*share)
		// The interval may have a period more or less than 30.
		if math.Abs(share-0.1) > 0.1/30+0.001 {
			t.Errorf("clock set by %v: foreground %.3f %%, want 10 %%", by, 100*share)
		}
	}
}
