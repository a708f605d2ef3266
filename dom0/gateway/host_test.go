// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/gateway/policy"
	nativehost "github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

const ms = time.Millisecond

// TestMain is also the main function of the processes that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "guard" {
		if err := nativehost.Guard(os.Stdin, os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if f := children[os.Getenv(childEnv)]; f != nil {
		f()
		return
	}
	// Parallel tests wait for things that need no CPU.
	if err := flag.Set("test.parallel", "16"); err != nil { // unless the command line sets it
		panic(err)
	}
	testkit.Main(m)
}

// fakeHost has native domains, and a gateway to them.
type fakeHost struct {
	*Gateway
	t   testing.TB
	dir string // of the domains
	log *testkit.Text
}

// newHost makes a host for a test that may run beside others: these wait for
// other processes, and for time.
func newHost(t *testing.T, change func(*Options)) *fakeHost {
	t.Helper()
	t.Parallel()
	return openHost(t, change)
}

func openHost(t testing.TB, change func(*Options)) *fakeHost {
	t.Helper()
	h := &fakeHost{t: t, dir: filepath.Join(t.TempDir(), "native"), log: new(testkit.Text)}
	o := Options{
		Dir: filepath.Join(t.TempDir(), "call"), Log: slog.New(slog.NewTextHandler(h.log, nil)),
		Find: func(ctx context.Context, domain string) (Domain, error) {
			p, err := directory.Open(ctx, directory.Config{Host: directory.Native, NativeDir: h.dir})
			if err != nil {
				return nil, err
			}
			d, err := p.Lookup(ctx, domain)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
	}
	if change != nil {
		change(&o)
	}
	g, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	h.Gateway = g
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, g.Close()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(h.log)
		}
		if len(g.quota.users) != 0 || g.quota.all != (use{}) {
			t.Errorf("%d users have %+v", len(g.quota.users), g.quota.all)
		}
	})
	return h
}

// mine lets this process call everything of a domain's port 1.
func mine(domain string, timeout time.Duration) policy.Rule {
	return policy.Rule{
		Who: "me", ID: uint32(os.Getuid()), Target: policy.Target{Domain: domain, Port: 1},
		Library: policy.All, Functions: []string{policy.All}, Timeout: timeout,
	}
}

func (h *fakeHost) configure(wedging []policy.Wedging, rules ...policy.Rule) {
	h.t.Helper()
	c, err := h.Prepare(rules, wedging)
	if err != nil {
		h.t.Fatal(err)
	}
	c.Commit()
}

// vlibOS serves a domain until stop.
func (h *fakeHost) vlibOS(name string, functions map[string]vlibcall.Handler) (stop func()) {
	h.t.Helper()
	l, err := native.Listen(filepath.Join(h.dir, name), 1)
	if err != nil {
		h.t.Fatal(err)
	}
	s := vlibcall.NewServer(l)
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	for f, handler := range functions {
		s.Handle("t", f, handler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				h.t.Error(err)
			}
		})
	}
	h.t.Cleanup(stop)
	return stop
}

// open opens a client's channel, with the timeout of its calls.
func (h *fakeHost) open(domain string, size int, timeout time.Duration) (*vlibcall.Channel, error) {
	return vlibcall.Open(h.t.Context(), native.Domain(filepath.Join(h.o.Dir, domain)), vlibcall.Options{Size: size, Timeout: timeout})
}

func (h *fakeHost) client(domain string, timeout time.Duration) *vlibcall.Channel {
	h.t.Helper()
	c, err := h.open(domain, 8192, timeout)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	return c
}

func call(c *vlibcall.Channel, function, input string) (string, error) {
	out, err := c.Call(context.Background(), "t", function, []byte(input), nil)
	return string(out), err
}

func (h *fakeHost) echoes(c *vlibcall.Channel) {
	h.t.Helper()
	if out, err := call(c, "echo", "x"); out != "x" || err != nil {
		h.t.Errorf("%q, %v", out, err)
	}
}
