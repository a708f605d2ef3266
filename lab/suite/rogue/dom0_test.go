// SPDX-License-Identifier: Apache-2.0

//go:build dom0

// These tests run in the lab's Dom0 with three DomUs whose server is rogue: vlib1, whose
// misdeeds are tried one after the other; vlib2, which serves honestly and is paused; and
// vlib3, which is destroyed.

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/lab/suite/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
)

const (
	// timeout is that of calls that must time out.
	timeout = 400 * time.Millisecond
	// bound is how much longer an operation may take on an emulated, shared machine.
	bound = 15 * time.Second
)

// domain opens the transport to a domain by its name.
func domain(t testing.TB, name string) *xen.Domain {
	t.Helper()
	d, err := xen.Open(t.Context(), host.DomainID(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func open(t testing.TB, d transport.Dialer, opts vlibcall.Options) *vlibcall.Channel {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	c, err := vlibcall.Open(ctx, d, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// warm opens n channels at a time, so that what a domain keeps for later channels is
// there before it is counted.
func warm(t testing.TB, d transport.Dialer, n int) {
	t.Helper()
	for range n {
		defer closed(t, open(t, d, vlibcall.Options{Size: 8192}))
	}
}

func closed(t testing.TB, c *vlibcall.Channel) {
	t.Helper()
	start := time.Now()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if d := time.Since(start); d > bound {
		t.Errorf("Close took %v", d)
	}
}

// steady is a caller that must not be disturbed.
type steady struct {
	name  string
	calls atomic.Int64
	stop  chan struct{}
	done  sync.WaitGroup

	mu      sync.Mutex
	failed  error
	longest time.Duration
}

func startSteady(t testing.TB, name string, d transport.Dialer) *steady {
	t.Helper()
	c := open(t, d, vlibcall.Options{Size: 16384, Timeout: bound})
	s := &steady{name: name, stop: make(chan struct{})}
	s.done.Go(func() {
		defer c.Close()
		for i := 0; ; i++ {
			select {
			case <-s.stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			in := fmt.Sprint(i, strings.Repeat("x", i%3*1000))
			start := time.Now()
			out, err := c.Call(context.Background(), "t", "echo", []byte(in), nil)
			if err == nil && string(out) != in {
				err = fmt.Errorf("%d bytes came back as %d", len(in), len(out))
			}
			s.mu.Lock()
			s.longest = max(s.longest, time.Since(start))
			if err != nil {
				s.failed = err
			}
			s.mu.Unlock()
			s.calls.Add(1)
			if err != nil {
				return
			}
		}
	})
	return s
}

// check waits for a call that began after it, and fails if any call has failed.
func (s *steady) check(t testing.TB) {
	t.Helper()
	from := s.calls.Load()
	succeeds(t, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failed != nil {
			return fmt.Errorf("the honest caller of %s: %w", s.name, s.failed)
		}
		if s.calls.Load() < from+2 {
			return fmt.Errorf("the honest caller of %s is stuck after %d calls", s.name, s.calls.Load())
		}
		return nil
	})
}

func (s *steady) end() {
	close(s.stop)
	s.done.Wait()
}

// succeeds waits until f returns nil.
func succeeds(t testing.TB, f func() error) {
	t.Helper()
	var err error
	if !testkit.Holds(func() bool { err = f(); return err == nil }) {
		t.Error(err)
	}
}

// control fails if an error contains characters that a terminal would act on.
func control(t testing.TB, err error) {
	t.Helper()
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
		t.Errorf("control characters in %q", err.Error())
	}
}

// one reports which of the errors err is.
func one(err error, of ...error) bool {
	for _, want := range of {
		if want == nil && err == nil || want != nil && errors.Is(err, want) {
			return true
		}
	}
	return false
}
