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

// payer is a reservation of these tests, below the master's numbers.
const payer = 7

// reserve makes the payer for the time of the test.
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

// paid opens a channel to a domain whose calls the payer pays for.
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
	t.Cleanup(func() { c.Close() }) // an error where xenstored is dead
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

// working has a call run that uses a little all the time, until the test ends.
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

// inUse is a host on which vlib1 has a budget and a call that runs, and a channel
// to vlib2 that a reservation pays for.
func inUse(t *testing.T) *vlibcall.Channel {
	t.Helper()
	serve(t)
	m, _ := host.Module(t)
	reserve(t, m)
	working(t, "vlib1")
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "10ms", "--period", "100ms")
	return paid(t, m, host.DomainID(t, "vlib2"))
}

// withoutXenstored is what goes on while it does not answer: a call that runs,
// calls on a channel that is open, budgets, and the master's answers.
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
	if after.Domain != before.Domain || after.Problem != "" || after.Foreground < before.Foreground+during/200 {
		t.Errorf("before %+v\nafter %v without xenstored %+v", before, during, after)
	}
}

// TestSlowXenstored: for half a minute nobody notices.
func TestSlowXenstored(t *testing.T) {
	c := inUse(t)
	stored := host.FindXenstored(t)
	stored.Stop(t)
	withoutXenstored(t, c, 30*time.Second)
	// By its name, which the master has not forgotten.
	host.Run(t, "vlibmaster", "adopt", "vlib1", "--budget", "12ms", "--period", "100ms")
	stored.Resume(t)
	echo(t, c)
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// timeoutStatus is how 'vlibmaster call' ends when no answer comes in time.
const timeoutStatus = 10

// overQuota has a guest take all nodes that it may have, and says how many it
// got: many at a time, then one by one.
const overQuota = `
	i=0
	while xenstore-write $(for k in $(seq 50); do echo data/junk/$i/$k x; done); do i=$((i + 1)); done
	n=0
	while xenstore-write data/junk/last/$n x; do n=$((n + 1)); done
	echo $i times 50 and $n`

// TestXenstoreOverQuota: of a guest that has used up its share of xenstore what
// runs goes on. Only what has to be written there fails, and in time; when there
// is room again all is as before.
func TestXenstoreOverQuota(t *testing.T) {
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
	t.Logf("a new channel was given up after %v", time.Since(begun))
	// Its budget is the master's affair, and needs nothing of the guest's.
	host.Run(t, "vlibmaster", "adopt", "vlib2", "--budget", "10ms", "--period", "100ms")
	host.Run(t, "vlibmaster", "release", "vlib2")
	if _, err := c.Call(t.Context(), builtin.Library, builtin.Run, host.Shell(t, "xenstore-rm data/junk"), nil); err != nil {
		t.Error(err)
	}
	if out := host.Run(t, "vlibmaster", "call", "--reservation", strconv.Itoa(payer), "vlib2", "vlib", "echo", "x"); out != "x" {
		t.Errorf("with room again: %q", out)
	}
	host.Run(t, "vlibmaster", "release", "vlib1")
}

// TestRestartedInMidCall: a vLib OS that is asked to suspend, as by 'xl save',
// in the middle of a call does so; when it is destroyed the call ends, once; and
// one that is made anew is on its reservation, and is called on the same payer.
func TestRestartedInMidCall(t *testing.T) {
	serve(t)
	m, h := host.Module(t)
	reserve(t, m)
	id := host.DomainID(t, "vlib2")
	host.Run(t, "vlibmaster", "adopt", "vlib2", "--budget", "10ms", "--period", "100ms")
	uuid := adopted(t, "vlib2").UUID
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
	t.Logf("it was suspended after %v, in the middle of a call", time.Since(begun))
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
		t.Errorf("a call to who is gone, which the channel or the module says: %v", err)
	}
	c.Close() // waits for callbacks
	if len(ends) != 1 {
		t.Errorf("the call ended %d times", len(ends))
	}
	if r, err := m.Reservation(payer); err != nil || !r.Call.Over() {
		t.Errorf("the payer's call is %v, %v", r.Call, err)
	}
	testkit.Eventually(t, "the master sees that it is gone", func() bool { return adopted(t, "vlib2").Domain == "" })
	host.Run(t, "xl", "create", "/etc/xen/vlib2.cfg", "uuid='"+uuid+"'")
	again := host.DomainID(t, "vlib2")
	testkit.Eventually(t, "the adoption follows", func() bool {
		s := adopted(t, "vlib2")
		return s.Domain == strconv.Itoa(int(again)) && s.Problem == "" && s.Foreground > 0
	})
	host.Run(t, "vlibmaster", "release", "vlib2")
	testkit.Eventually(t, "its server is up", func() bool {
		_, status := host.Command(t, "xenstore-exists", fmt.Sprintf("/local/domain/%d/data/vlibos/1/server", again))
		return status == 0
	})
	echo(t, paid(t, m, again))
}

// TestXenstoredDies is the last of all: it does not come back.
func TestXenstoredDies(t *testing.T) {
	c := inUse(t)
	host.FindXenstored(t).Kill(t)
	withoutXenstored(t, c, 10*time.Second)
	host.Run(t, "vlibmaster", "release", "vlib1")
}
