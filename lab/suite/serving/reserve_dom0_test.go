// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos"
	"github.com/vlibos/vlibos/internal/clock"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// asCaller in the environment makes the test program a tool that calls.
const asCaller = "VLIBOS_TEST_CALLER"

func TestMain(m *testing.M) {
	if domain := os.Getenv(asCaller); domain != "" {
		fmt.Fprintln(os.Stderr, caller(domain))
		os.Exit(1)
	}
	testkit.Main(m)
}

// caller calls the domain without end, on the reservation that it was started on. It uses
// as much time itself as each call.
func caller(domain string) error {
	runtime.LockOSThread()
	ctx := context.Background()
	d, err := vlibos.Options{Host: "xen", Size: 8192, Wait: vlibcall.Block}.Open(ctx, domain)
	if err != nil {
		return err
	}
	command := builtin.Command{Argv: []string{"sh", "-c", "i=0; while [ $i -lt 300 ]; do i=$((i+1)); done"}}
	input, err := command.Append(nil)
	if err != nil {
		return err
	}
	for {
		_, receipt, err := d.Channel().CallReceipt(ctx, builtin.Library, builtin.Run, input, nil)
		if err != nil {
			return err
		}
		if receipt.Cost == nil {
			return errors.New("no receipt")
		}
		for end := clock.Thread() + receipt.Cost.Foreground + receipt.Cost.Background; clock.Thread() < end; {
		}
	}
}

// A Dom0 thread that uses half of its budget itself and half by calls has the whole budget
// in foreground in every period. When it is killed during a call, its reservation ends and
// its callee can be called again.
func TestThreadAndCalleeShareOneBudget(t *testing.T) {
	host.Serve(t)
	c := exec.Command("vlibmaster", "run", "--budget", "10ms", "--period", "100ms", "--calls", "vlib1", "--", os.Args[0])
	c.Env, c.Stderr = append(os.Environ(), asCaller+"=vlib1"), os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	testkit.Eventually(t, "it is on a reservation", func() bool { return len(ps(t).Reservations) == 1 })
	id := ps(t).Reservations[0].ID
	m, h := host.Module(t)
	calls := func() uint64 {
		r, err := m.Reservation(id)
		if err != nil {
			t.Fatal(err)
		}
		return r.Calls
	}
	testkit.Eventually(t, "it calls", func() bool { return calls() > 5 })
	callee := func() time.Duration { return host.CPUTime(t, h, vlib1) }
	before, ranBefore, callsBefore, begun := ps(t).Reservations[0], callee(), calls(), time.Now()
	time.Sleep(10 * time.Second)
	after, ran, took := ps(t).Reservations[0], callee()-ranBefore, time.Since(begun)
	foreground := float64(after.Foreground-before.Foreground) / float64(took)
	all := after.Foreground + after.Background - before.Foreground - before.Background
	t.Logf("in %v: %d calls, foreground %.3f %%, %v in total, %v of it by the callee", took, calls()-callsBefore, 100*foreground, all, ran)
	if math.Abs(foreground-0.1) > 0.002 {
		t.Errorf("foreground %.3f %%, want 10 %%", 100*foreground)
	}
	if half := float64(ran) / float64(all); half < 0.35 || half > 0.65 {
		t.Errorf("the callee used %.0f %% of the charge", 100*half)
	}

	testkit.Eventually(t, "it is in a call", func() bool {
		r, err := m.Reservation(id)
		return err == nil && r.Call == vlib.CallActive
	})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "its reservation has ended", func() bool { return len(ps(t).Reservations) == 0 })
	if _, err := m.Reservation(id); !errors.Is(err, vlib.ErrNoReservation) {
		t.Errorf("in the module: %v", err)
	}
	out := host.Run(t, "vlibmaster", "run", "--budget", "50ms", "--period", "100ms", "--calls", "vlib1", "--",
		"vlibmaster", "call", "vlib1", "vlib", "echo", "hello")
	if !strings.Contains(out, "hello") {
		t.Errorf("the next call: %q", out)
	}
}
