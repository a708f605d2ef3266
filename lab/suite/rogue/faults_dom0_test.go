// SPDX-License-Identifier: Apache-2.0

//go:build dom0

package main

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
	"github.com/vlibos/vlibos/xenctl"
)

// echo makes one call that must succeed.
func echo(t testing.TB, c *vlibcall.Channel) {
	t.Helper()
	if out, err := c.Call(t.Context(), "t", "echo", []byte("x"), nil); err != nil || string(out) != "x" {
		t.Errorf("echo: %q, %v", out, err)
	}
}

// queue begins one call that the server does not answer, and n that wait behind it.
func queue(t testing.TB, c *vlibcall.Channel, n int) *queued {
	t.Helper()
	q := &queued{c: c, ends: make(chan error, 10*n)}
	for range n + 1 {
		q.calls++
		p := c.Go(context.Background(), "t", "sleep", []byte("10m"), func(_ []byte, err error) { q.ends <- err })
		q.pending = append(q.pending, p)
	}
	return q
}

type queued struct {
	c       *vlibcall.Channel
	calls   int
	pending []*vlibcall.Pending
	ends    chan error // of the callbacks
}

// fail expects each call to fail once, with ErrGone, within bound.
func (q *queued) fail(t testing.TB) {
	t.Helper()
	start := time.Now()
	limit := time.After(bound)
	for i, p := range q.pending {
		select {
		case <-p.Done():
		case <-limit:
			t.Fatalf("call %d of %d has not ended after %v", i, q.calls, bound)
		}
		if _, err := p.Result(); !errors.Is(err, vlibcall.ErrGone) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	t.Logf("%d calls ended after %v", q.calls, time.Since(start).Round(time.Millisecond))
	closed(t, q.c) // waits for callbacks
	if len(q.ends) != q.calls {
		t.Errorf("%d callbacks for %d calls", len(q.ends), q.calls)
	}
	for range len(q.ends) {
		if err := <-q.ends; !errors.Is(err, vlibcall.ErrGone) {
			t.Errorf("callback: %v", err)
		}
	}
}

// A server that dies during a call fails its own calls and no others. Its successor can be
// called as before.
func TestDyingServerFailsItsCallsOnce(t *testing.T) {
	one, two := domain(t, "vlib1"), domain(t, "vlib2")
	other := startSteady(t, "vlib2", two)
	defer other.end()
	for range 2 {
		victim, waiting := open(t, one, vlibcall.Options{Size: 8192}), open(t, one, vlibcall.Options{Size: 8192})
		echo(t, waiting)
		start := time.Now()
		if _, err := victim.Call(t.Context(), "t", "exit", nil, nil); !errors.Is(err, vlibcall.ErrGone) {
			t.Errorf("the call it died in: %v", err)
		} else {
			t.Logf("the call it died in: %v after %v", err, time.Since(start).Round(time.Millisecond))
		}
		q := queue(t, waiting, 5)
		q.fail(t)
		closed(t, victim)
		other.check(t)
		// init starts it again; it takes a moment to open its many ports.
		succeeds(t, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			c, err := vlibcall.Open(ctx, one, vlibcall.Options{Size: 8192, Timeout: bound})
			if err != nil {
				return err
			}
			defer c.Close()
			_, err = c.Call(ctx, "t", "echo", nil, nil)
			return err
		})
	}
}

func TestCallsToAPausedDomainTimeOut(t *testing.T) {
	one, two := domain(t, "vlib1"), domain(t, "vlib2")
	other := startSteady(t, "vlib1", one)
	defer other.end()
	h, err := xenctl.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	c := open(t, two, vlibcall.Options{Size: 8192, Timeout: timeout})
	defer closed(t, c)
	id := host.DomainID(t, "vlib2")
	if err := h.Pause(id); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		start := time.Now()
		_, err := c.Call(t.Context(), "t", "echo", nil, nil)
		ended(t, "call", start, timeout, err, late)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	start := time.Now()
	_, err = vlibcall.Open(ctx, two, vlibcall.Options{Size: 8192})
	cancel()
	ended(t, "open", start, timeout, err, late)
	other.check(t)
	if err := h.Unpause(id); err != nil {
		t.Fatal(err)
	}
	succeeds(t, func() error {
		_, err := c.Call(t.Context(), "t", "echo", nil, nil)
		return err
	})
	if n := c.LateAnswers(); n != 1 {
		t.Errorf("%d late answers, want 1", n)
	}
}

// A destroyed domain's calls fail, once each. When its channels are closed, Xen has nothing
// of it.
func TestDestroyedDomainFailsItsCallsOnce(t *testing.T) {
	one := domain(t, "vlib1")
	other := startSteady(t, "vlib1", one)
	defer other.end()
	watch := open(t, one, vlibcall.Options{Size: 8192, Timeout: bound})
	defer closed(t, watch)
	id := host.DomainID(t, "vlib3")
	two, err := xen.Open(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	warm(t, two, 2)
	before := take(t, watch)
	queues := []*queued{
		queue(t, open(t, two, vlibcall.Options{Size: 8192}), 20),
		queue(t, open(t, two, vlibcall.Options{Size: 1 << 20, Wait: vlibcall.Block}), 5),
	}
	time.Sleep(100 * time.Millisecond)
	destroyed := make(chan error, 1)
	go func() {
		out, err := exec.Command("xl", "destroy", "vlib3").CombinedOutput()
		if err != nil {
			err = errors.Join(err, errors.New(string(out)))
		}
		destroyed <- err
	}()
	for _, q := range queues {
		q.fail(t)
	}
	if err := <-destroyed; err != nil {
		t.Error(err)
	}
	start := time.Now()
	_, err = vlibcall.Open(t.Context(), two, vlibcall.Options{Size: 8192})
	ended(t, "open", start, 0, err, gone)
	other.check(t)
	flat(t, watch, before)
	h, err := xenctl.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	succeeds(t, func() error {
		if _, err := h.DomainInfo(id); !errors.Is(err, xenctl.ErrNoDomain) {
			return errors.Join(errors.New("the domain is still there"), err)
		}
		return nil
	})
	out, err := exec.Command("xl", "list").Output()
	if err != nil || strings.Count(strings.TrimSpace(string(out)), "\n") != 3 {
		t.Errorf("xl list (%v), want Dom0, vlib1 and vlib2:\n%s", err, out)
	}
}

// Without xenstored, open channels work, and further ones can be opened. Operations that
// need it fail in time.
func TestOpenChannelsNeedNoXenstored(t *testing.T) {
	one, other := domain(t, "vlib1"), domain(t, "vlib1")
	c, idle := open(t, one, vlibcall.Options{Size: 8192, Timeout: bound}), open(t, one, vlibcall.Options{Size: 8192, Timeout: bound})
	defer closed(t, c)
	echo(t, c)
	closed(t, open(t, other, vlibcall.Options{Size: 8192}))
	xenstored := host.FindXenstored(t)
	xenstored.Stop(t)
	var calls sync.WaitGroup
	calls.Go(func() {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		start := time.Now()
		_, err := vlibcall.Open(ctx, other, vlibcall.Options{Size: 8192})
		ended(t, "the second open", start, timeout, err, late)
	})
	for range 200 {
		echo(t, c)
	}
	further := open(t, one, vlibcall.Options{Size: 8192, Timeout: bound})
	echo(t, further)
	closed(t, further)
	start := time.Now()
	closed(t, idle)
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("Close without xenstored took %v", d)
	}
	calls.Wait()
	xenstored.Resume(t)
	again := open(t, one, vlibcall.Options{Size: 8192, Timeout: bound})
	echo(t, again)
	closed(t, again)
	echo(t, c)
}
