// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package hvm

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// payer is the reservation that is charged for calls.
const payer = 77

func TestModuleChargesCallsAndGatesTheGuest(t *testing.T) {
	callsAreCharged(t, host.DomainID(t, "vlib1"))
}

// callsAreCharged has a guest run for calls and not otherwise. All that it runs is charged
// to its callers, whether their budget suffices or not.
func callsAreCharged(t *testing.T, id uint16) {
	t.Helper()
	m, h := host.Module(t)
	host.Must(t, m.Reserve(payer, 20*time.Millisecond, 100*time.Millisecond))
	t.Cleanup(func() { host.Must(t, m.Unreserve(payer)) })
	host.Must(t, m.SetDomain(id, vlib.Listens, 0))
	t.Cleanup(func() { host.Must(t, m.SetDomain(id, 0, vlib.Listens)) })
	host.Must(t, m.Allow(id, payer))
	c := host.Open(t, id, vlibcall.Options{Timeout: testkit.Patience, Reservation: payer})
	call := func(words string) {
		t.Helper()
		_, err := c.Call(t.Context(), builtin.Library, builtin.Run, host.Shell(t, words), nil)
		host.Must(t, err)
	}
	closed := func() {
		t.Helper()
		testkit.Eventually(t, "its gate is closed", func() bool {
			d, err := m.Domain(id)
			return err == nil && d.Listening && !d.Open
		})
	}
	call("true")
	call("true")
	closed()
	before, own := host.CPUTime(t, h, id), account(t, m)
	time.Sleep(200 * time.Millisecond)
	if ran := host.CPUTime(t, h, id) - before; ran != 0 {
		t.Errorf("without a call it ran for %v", ran)
	}
	const calls = 5
	for range calls {
		call("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
	}
	closed()
	after, ran := account(t, m), host.CPUTime(t, h, id)-before
	foreground, background := after.Total.Foreground-own.Total.Foreground, after.Total.Background-own.Total.Background
	t.Logf("%d calls: foreground %v, background %v, Xen says %v; the last: %v, %+v", calls, foreground, background, ran, after.Call, after.Cost)
	if n := after.Calls - own.Calls; n != calls {
		t.Errorf("%d calls are counted, of %d", n, calls)
	}
	if part := float64(foreground+background) / float64(ran); part < 0.99 || part > 1.01 || foreground == 0 {
		t.Errorf("%.3f of what it ran were charged, %v of it in foreground", part, foreground)
	}
}

func account(t *testing.T, m *vlib.Module) vlib.Reservation {
	t.Helper()
	r, err := m.Reservation(payer)
	host.Must(t, err)
	return r
}

// A command that the master starts pays for its calls to the guest. After it the guest
// runs as it did.
func TestModuleChargesACommandsCalls(t *testing.T) {
	host.Serve(t)
	out := host.Run(t, "vlibmaster", "run", "--budget", "50ms", "--period", "100ms", "--calls", "vlib1", "--",
		"vlibmaster", "call", "--json", "--receipt", "vlib1", "vlib", "echo", "hello")
	var answer struct {
		Receipt struct {
			Cost *struct {
				Foreground time.Duration `json:"foreground_ns"`
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Receipt.Cost == nil || answer.Receipt.Cost.Foreground <= 0 {
		t.Errorf("%v: %s", err, out)
	}
	if all := host.All(t).Reservations; len(all) != 0 {
		t.Errorf("its reservation is still there: %+v", all)
	}
	answersCos(t, "vlib1")
}
