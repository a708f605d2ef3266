// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package scheduling

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// listens makes a DomU a vLib OS until the end of the test.
func (h *machine) listens(domid uint16) {
	h.Helper()
	h.must(h.SetDomain(domid, vlib.Listens, 0))
	h.Cleanup(func() { h.must(h.SetDomain(domid, 0, vlib.Listens)) })
}

func (h *machine) domain(domid uint16) vlib.Domain {
	h.Helper()
	d, err := h.Domain(domid)
	h.must(err)
	return d
}

func (h *machine) echo(c *vlibcall.Channel) {
	h.Helper()
	out, err := c.Call(h.Context(), builtin.Library, builtin.Echo, []byte("hello"), nil)
	if err != nil || string(out) != "hello" {
		h.Fatalf("%q, %v; domain %+v, reservation %+v", out, err, h.domain(1), h.account(h.payers[c]))
	}
}

// run runs words in a shell in the DomU.
func (h *machine) run(ctx context.Context, c *vlibcall.Channel, words string) error {
	h.Helper()
	_, err := c.Call(ctx, builtin.Library, builtin.Run, host.Shell(h, words), nil)
	return err
}

// A listening domain runs for calls and not otherwise, and its callers are charged for
// what it runs.
func TestListeningDomainRunsOnlyForCalls(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 8*ms, 10*ms)
	h.listens(1)
	h.must(h.Allow(1, 1))
	c := h.open(1, vlibcall.Options{Timeout: 5 * time.Second, Reservation: 1})
	h.echo(c)
	h.echo(c)
	time.Sleep(5 * ms)
	d := h.domain(1)
	if !d.Listening || d.Open || d.Reservation != 0 {
		h.Errorf("after two calls: %+v", d)
	}
	if ran := h.ran(1, 100*ms); ran != 0 {
		h.Errorf("it ran for %v without a call", ran)
	}
	// A caller that polls calls again before the server has listened.
	polls := h.open(1, vlibcall.Options{Timeout: 5 * time.Second, Reservation: 1, Wait: vlibcall.Spin})
	h.echo(polls)
	time.Sleep(5 * ms)
	before, start := h.account(1), h.cpuTime(1)
	const calls = 1000
	for range calls / 2 {
		h.echo(c)
	}
	for range calls / 2 {
		h.echo(polls)
	}
	time.Sleep(5 * ms)
	after, ran := h.account(1), h.cpuTime(1)-start
	if after.Calls-before.Calls != calls || after.Call != vlib.CallDone {
		h.Errorf("%d calls are counted, of %d; the last is %v", after.Calls-before.Calls, calls, after.Call)
	}
	charged := after.Total.Foreground + after.Total.Background - before.Total.Foreground - before.Total.Background
	h.Logf("%d calls: charged %v, Xen says %v; the last: %+v", calls, charged, ran, after.Cost)
	near(h, "charged of what Xen counted", percent(charged, ran), 100, 1)
}

// With a tenth of a CPU, beside a domain that spins on a reservation, a callee runs a tenth
// of the time in foreground. The receipt has the part that its caller paid for.
func TestCalleeWithoutBudgetRunsInBackground(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 2*ms, 20*ms)
	h.reserve(2, 80*ms, 100*ms)
	h.spin(2)
	h.adopt(2, 2)
	h.listens(1)
	h.must(h.Allow(1, 1))
	c := h.open(1, vlibcall.Options{Reservation: 1})
	h.echo(c)
	ctx, cancel := context.WithTimeout(h.Context(), 400*ms)
	defer cancel()
	start := h.now()
	if err := h.run(ctx, c, "while :; do :; done"); !errors.Is(err, vlibcall.ErrTimeout) {
		h.Errorf("a loop: %v", err)
	}
	elapsed := h.now() - start
	r := h.account(1)
	h.Logf("%v: %v, %+v", elapsed, r.Call, r.Cost)
	if r.Call != vlib.CallTimeout && r.Call != vlib.CallCancelled {
		h.Errorf("the call is %v", r.Call)
	}
	near(h, "foreground", percent(r.Cost.Foreground, elapsed), 10, 1)
	if r.Cost.Deschedules < 10 {
		h.Errorf("%d deschedules in 20 periods", r.Cost.Deschedules)
	}
	// The callee continues in background until the server notices that the call was
	// cancelled. Then it serves the next call.
	h.echo(c)
}

// Calls wait in the order of their arrival, and each is charged for itself.
func TestCallsQueueInOrderAndPayForThemselves(t *testing.T) {
	h := newMachine(t)
	h.listens(1)
	var channels []*vlibcall.Channel
	for id := uint32(1); id <= 3; id++ {
		h.reserve(id, 2*ms, 10*ms)
		h.must(h.Allow(1, id))
		c := h.open(1, vlibcall.Options{Timeout: 10 * time.Second, Reservation: transport.Reservation(id)})
		h.echo(c)
		channels = append(channels, c)
	}
	var pending []*vlibcall.Pending
	for i, c := range channels {
		id := uint32(i + 1)
		input := host.Shell(h, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
		p := c.Go(h.Context(), builtin.Library, builtin.Run, input, nil)
		for h.account(id).Calls < 2 {
			time.Sleep(100 * time.Microsecond)
		}
		pending = append(pending, p)
	}
	if d := h.domain(1); d.Queued != 2 || d.Reservation != 1 {
		h.Errorf("three calls: %+v", d)
	}
	for i, p := range pending {
		<-p.Done()
		if _, err := p.Result(); err != nil {
			h.Errorf("call %d: %v", i+1, err)
		}
		r := h.account(uint32(i + 1))
		h.Logf("call %d: queued %v, wall %v, %+v", i+1, r.Queued, r.Wall, r.Cost)
		if r.Cost.Foreground == 0 || (i > 0 && r.Queued < ms) {
			h.Errorf("call %d: %+v", i+1, r)
		}
	}
}

// A queued call and an active one can be cancelled.
func TestCallIsCancelledWhetherQueuedOrActive(t *testing.T) {
	h := newMachine(t)
	h.listens(1)
	for id := uint32(1); id <= 2; id++ {
		h.reserve(id, 2*ms, 10*ms)
		h.must(h.Allow(1, id))
	}
	long := h.open(1, vlibcall.Options{Reservation: 1})
	short := h.open(1, vlibcall.Options{Reservation: 2, Timeout: 5 * time.Second})
	h.echo(long)
	h.echo(short)
	ctx, cancel := context.WithCancel(h.Context())
	input := host.Shell(h, "while :; do :; done")
	p := long.Go(ctx, builtin.Library, builtin.Run, input, nil)
	for h.account(1).Call != vlib.CallActive {
		time.Sleep(ms)
	}
	waits, stop := context.WithTimeout(h.Context(), 50*ms)
	defer stop()
	if _, err := short.Call(waits, builtin.Library, builtin.Echo, nil, nil); !errors.Is(err, vlibcall.ErrTimeout) {
		h.Errorf("queued behind a long call: %v", err)
	}
	if r := h.account(2); r.Call != vlib.CallCancelled && r.Call != vlib.CallTimeout {
		h.Errorf("the queued call is %v", r.Call)
	}
	cancel()
	<-p.Done()
	if r := h.account(1); r.Call != vlib.CallCancelled {
		h.Errorf("the active call is %v", r.Call)
	}
	h.echo(long)
	h.echo(short)
	if err := h.CancelAll(1); !errors.Is(err, vlib.ErrNoCall) {
		h.Errorf("cancelling no call: %v", err)
	}
}

// The error of a refused call says what is missing.
func TestRefusedCallSaysWhatIsMissing(t *testing.T) {
	h := newMachine(t)
	h.reserve(1, 2*ms, 10*ms)
	port := uint32(1)
	for _, step := range []struct {
		what string
		do   func() error
		want error
	}{
		{"a domain that has not been told to listen", func() error {
			_, err := h.Call(1, vlib.Request{Domain: 1, Port: port, Number: 1}, time.Second)
			return err
		}, nil},
		{"no such domain", func() error {
			_, err := h.Call(1, vlib.Request{Domain: 999, Port: port, Number: 1}, time.Second)
			return err
		}, vlib.ErrNoDomain},
		{"no time", func() error { _, err := h.Call(1, vlib.Request{Domain: 1, Port: port, Number: 1}, 0); return err }, vlib.ErrRange},
		{"no such reservation to adopt", func() error { return h.Adopt(1, 77) }, vlib.ErrNoReservation},
		{"no such reservation to allow", func() error { return h.Allow(1, 77) }, vlib.ErrNoReservation},
	} {
		err := step.do()
		if err == nil || step.want != nil && !errors.Is(err, step.want) {
			h.Errorf("%s: %v", step.what, err)
		}
	}
}
