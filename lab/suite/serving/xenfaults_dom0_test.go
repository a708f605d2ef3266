// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package serving

import (
	"context"
	"errors"
	"fmt"
	"strconv"
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

// payer is the reservation of these tests, below the master's numbers.
const payer = 7

// reserve makes the reservation payer until the end of the test.
func reserve(t *testing.T, m *vlib.Module) {
	t.Helper()
	if err := m.Reserve(payer, 2*ms, 20*ms); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Unreserve(payer); err != nil {
			t.Error(err)
		}
	})
}

// paid opens a channel to a domain whose calls payer pays for.
func paid(t *testing.T, m *vlib.Module, id uint16) *vlibcall.Channel {
	t.Helper()
	err := m.SetDomain(id, vlib.Listens, 0)
	if err == nil {
		err = m.Allow(id, payer)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := host.TryOpen(t, id, vlibcall.Options{Reservation: payer, Timeout: testkit.Patience})
	host.Must(t, err)
	t.Cleanup(func() { c.Close() }) // it is an error if xenstored is dead
	return c
}

func echo(t *testing.T, c *vlibcall.Channel) {
	t.Helper()
	if out, err := c.Call(t.Context(), builtin.Library, builtin.Echo, []byte("x"), nil); err != nil || string(out) != "x" {
		t.Errorf("echo: %q, %v", out, err)
	}
}

// begin begins a call that runs words in the guest.
func begin(ctx context.Context, t *testing.T, c *vlibcall.Channel, words string, ends chan error) *vlibcall.Pending {
	t.Helper()
	return c.Go(ctx, builtin.Library, builtin.Run, host.Shell(t, words), func(_ []byte, err error) { ends <- err })
}

// working keeps a call active that uses a little time, until the test ends.
func working(t *testing.T, domain string) {
	t.Helper()
	id := host.DomainID(t, domain)
	d, err := xen.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := vlibcall.Open(t.Context(), d, vlibcall.Options{Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	ends := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	p := begin(ctx, t, c, "while :; do sleep 0.05; done", ends)
	t.Cleanup(func() {
		select {
		case err := <-ends:
			t.Errorf("the running call ended: %v", err)
		default:
		}
		cancel()
		<-p.Done()
		c.Close()
		d.Close()
	})
}

// inUse prepares a host on which vlib1 has a budget and an active call. It returns a
// channel to vlib2 whose calls are paid for.
func inUse(t *testing.T) *vlibcall.Channel {
	t.Helper()
	host.Serve(t)
	m, _ := host.Module(t)
	reserve(t, m)
	working(t, "vlib1")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	return paid(t, m, host.DomainID(t, "vlib2"))
}

// withoutXenstored checks what works while xenstored does not answer: the active call,
// calls on an open channel, budgets, and the master's answers.
func withoutXenstored(t *testing.T, c *vlibcall.Channel, during time.Duration) {
	t.Helper()
	before := adopted(t, "vlib1")
	for end := time.Now().Add(during); time.Now().Before(end); time.Sleep(during / 5) {
		begun := time.Now()
		ps(t)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("ps took %v", took)
		}
		echo(t, c)
	}
	after := adopted(t, "vlib1")
	if after.On() != before.On() || after.Problem != "" || after.Foreground < before.Foreground+during/200 {
		t.Errorf("before %+v\nafter %v without xenstored %+v", before, during, after)
	}
}

// Half a minute without xenstored delays neither budgets nor calls.
func TestBudgetsAndCallsNeedNoXenstored(t *testing.T) {
	c := inUse(t)
	stored := host.FindXenstored(t)
	stored.Stop(t)
	withoutXenstored(t, c, 30*time.Second)
	// The master still knows the domain's name.
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "12ms", "--period", "100ms")
	stored.Resume(t)
	echo(t, c)
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// timeoutStatus is the exit status of 'vlibmaster call' without an answer in time.
const timeoutStatus = 10

// overQuota makes a guest write all xenstore nodes that it may have, first many at a time
// and then one by one, and print their number.
const overQuota = `
	i=0
	while xenstore-write $(for k in $(seq 50); do echo data/junk/$i/$k x; done); do i=$((i + 1)); done
	n=0
	while xenstore-write data/junk/last/$n x; do n=$((n + 1)); done
	echo $i times 50 and $n`

// A guest that has used up its xenstore quota still serves. Only operations that write its
// nodes fail, within their timeouts; with free nodes they succeed again.
func TestGuestOverItsXenstoreQuotaStillServes(t *testing.T) {
	c := inUse(t)
	out, err := c.Call(t.Context(), builtin.Library, builtin.Run, host.Shell(t, overQuota), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%q", out)
	if _, status := host.Command(t, "xenstore-exists", fmt.Sprintf("/local/domain/%d/data/junk/10", host.DomainID(t, "vlib2"))); status != 0 {
		t.Fatal("the guest has not written 500 nodes")
	}
	withoutXenstored(t, c, 5*time.Second)
	begun := time.Now()
	if out, status := host.Command(t, "vlibmaster", "call", "--reservation", strconv.Itoa(payer), "--timeout", "2s", "vlib2", "vlib", "echo", "x"); status != timeoutStatus {
		t.Errorf("a channel that the guest cannot answer for: status %d, want %d\n%s", status, timeoutStatus, out)
	}
	t.Logf("opening a new channel failed after %v", time.Since(begun))
	// Adoption needs nothing of the guest.
	host.Run(t, "vlibmaster", "adopt", "vlib2", "--budget", "10ms", "--period", "100ms")
	host.Run(t, "vlibmaster", "release", "vlib2")
	if _, err := c.Call(t.Context(), builtin.Library, builtin.Run, host.Shell(t, "xenstore-rm data/junk"), nil); err != nil {
		t.Error(err)
	}
	if out := host.Run(t, "vlibmaster", "call", "--reservation", strconv.Itoa(payer), "vlib2", "vlib", "echo", "x"); out != "x" {
		t.Errorf("with free nodes: %q", out)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// A vLib OS that is asked to suspend during a call, as by 'xl save', suspends. When it is
// destroyed, the call ends once. After it was created again it is on its reservation, and
// the same reservation pays for calls to it.
func TestCallOfADestroyedDomainEndsOnce(t *testing.T) {
	host.Serve(t)
	m, h := host.Module(t)
	reserve(t, m)
	id := host.DomainID(t, "vlib2")
	host.Run(t, "vlibmaster", "adopt", "vlib2", "--budget", "10ms", "--period", "100ms")
	uuid := adopted(t, "vlib2").UUIDs()
	c := paid(t, m, id)
	echo(t, c)
	ends := make(chan error, 10)
	p := begin(context.Background(), t, c, "while :; do :; done", ends)
	testkit.Eventually(t, "the call is active", func() bool {
		r, err := m.Reservation(payer)
		return err == nil && r.Call == vlib.CallActive
	})
	host.Run(t, "xenstore-write", fmt.Sprintf("/local/domain/%d/control/shutdown", id), "suspend")
	begun := time.Now()
	testkit.Eventually(t, "the domain is suspended", func() bool {
		info, err := h.DomainInfo(id)
		return err == nil && info.Shutdown && info.ShutdownReason == xenctl.ShutdownSuspend
	})
	t.Logf("it was suspended after %v, during a call", time.Since(begun))
	if len(ends) != 0 {
		t.Errorf("the call ended: %v", <-ends)
	}
	begun = time.Now()
	host.Run(t, "xl", "destroy", "vlib2")
	if _, err := p.Result(); !errors.Is(err, vlibcall.ErrGone) {
		t.Errorf("the call ended with %v", err)
	}
	t.Logf("the call ended after %v", time.Since(begun))
	if _, err := c.Call(t.Context(), builtin.Library, builtin.Echo, nil, nil); !errors.Is(err, vlibcall.ErrGone) && !errors.Is(err, vlibcall.ErrReservation) {
		t.Errorf("a call to a destroyed domain: %v", err)
	}
	c.Close() // waits for callbacks
	if len(ends) != 1 {
		t.Errorf("the call ended %d times", len(ends))
	}
	if r, err := m.Reservation(payer); err != nil || !r.Call.Over() {
		t.Errorf("the payer's call is %v, %v", r.Call, err)
	}
	testkit.Eventually(t, "the master notices that it is destroyed", func() bool { return adopted(t, "vlib2").On() == "" })
	host.Run(t, "xl", "create", "/etc/xen/vlib2.cfg", "uuid='"+uuid+"'")
	again := host.DomainID(t, "vlib2")
	testkit.Eventually(t, "it is adopted again", func() bool {
		s := adopted(t, "vlib2")
		return s.On() == strconv.Itoa(int(again)) && s.Problem == "" && s.Foreground > 0
	})
	host.Run(t, "vlibmaster", "release", "vlib2")
	testkit.Eventually(t, "its server is up", func() bool {
		_, status := host.Command(t, "xenstore-exists", fmt.Sprintf("/local/domain/%d/data/vlibos/1/server", again))
		return status == 0
	})
	echo(t, paid(t, m, again))
}

// It is the last test: xenstored cannot be started again.
func TestBudgetsAndCallsOutliveXenstored(t *testing.T) {
	c := inUse(t)
	host.FindXenstored(t).Kill(t)
	withoutXenstored(t, c, 10*time.Second)
	host.Run(t, "vlibmaster", "release", "vlib1")
}
