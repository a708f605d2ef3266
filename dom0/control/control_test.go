// SPDX-License-Identifier: Apache-2.0

package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/gateway"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/internal/unixpath"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

// fakeHost has one domain.
type fakeHost struct{ host.Host }

func (fakeHost) Name() string { return "test" }
func (fakeHost) Close() error { return nil }
func (fakeHost) Own() error   { return nil }

func (fakeHost) Notes() []string { return []string{"late"} }
func (fakeHost) Floor() (rtsched.Task, time.Duration) {
	return rtsched.Task{Budget: time.Millisecond, Period: 20 * time.Millisecond}, 0
}
func (fakeHost) Domains(context.Context) ([]host.Domain, error) {
	return []host.Domain{{ID: "1", UUID: "u", Name: "web", CPUs: []int{0}}, {ID: "0", Control: true}}, nil
}
func (fakeHost) Can() host.Abilities                               { return host.Abilities{} }
func (fakeHost) Reserve(context.Context, host.Reservation) error   { return nil }
func (fakeHost) Unreserve(context.Context, host.Reservation) error { return nil }
func (fakeHost) Renew(time.Duration) error                         { return nil }
func (fakeHost) Usage(context.Context, host.Reservation) (host.Usage, error) {
	return host.Usage{Foreground: 5}, nil
}

// calls has one vLib OS, which is wedged.
type calls struct{}

func (calls) List() []gateway.Status { return []gateway.Status{{Domain: "web", Port: 1, Calls: 7}} }
func (calls) Wedged() []gateway.Watched {
	return []gateway.Watched{{Domain: "web", For: 3, Restarts: 1}}
}

type throttled struct{}

func (throttled) Status() *throttling.Status {
	return &throttling.Status{Source: "probe", State: throttling.Closed, CPUs: []throttling.CPU{{ID: 3, Idle: 0.5}}}
}

// brokenHost cannot say what was used.
type brokenHost struct{ fakeHost }

func (brokenHost) Usage(context.Context, host.Reservation) (host.Usage, error) {
	return host.Usage{}, errors.New("invalid argument")
}

// What cannot be read of one entry does not keep the others from who asks.
func TestOneEntrysFailureIsNotTheHosts(t *testing.T) {
	c, _ := serveHost(t, brokenHost{})
	if _, err := c.Adopt(t.Context(), master.Wish{Domain: "web", Budget: time.Millisecond, Period: time.Second}); err != nil {
		t.Fatal(err)
	}
	h, err := c.Domains(t.Context())
	if err != nil || len(h.Adopted) != 1 || h.Adopted[0].Problem != "invalid argument" || len(h.Called) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

func serve(t *testing.T) (*Client, string) {
	t.Helper()
	return serveHost(t, fakeHost{})
}

func serveHost(t *testing.T, p host.Host) (*Client, string) {
	t.Helper()
	dir := t.TempDir()
	m, err := master.Open(t.Context(), p, dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	shelf, err := receipt.OpenShelf(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	more := Extra{"GET /more", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) })}
	go func() { done <- Serve(ctx, l, m, calls{}, throttled{}, ServeCalls(shelf), more) }()
	c := NewClient(socket)
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := errors.Join(<-done, m.Close()); err != nil {
			t.Error(err)
		}
	})
	return c, socket
}

func TestConversation(t *testing.T) {
	c, socket := serve(t)
	ctx := t.Context()
	const ms = time.Millisecond
	a, err := c.Adopt(ctx, master.Wish{Domain: "web", Budget: 10 * ms, Period: 100 * ms})
	if err != nil || a.UUID != "u" || a.Budget != 10*ms {
		t.Fatalf("%+v, %v", a, err)
	}
	h, err := c.Domains(ctx)
	if err != nil || h.Host != "test" || len(h.Adopted) != 1 || h.Adopted[0].Foreground != 5 ||
		len(h.Called) != 1 || h.Called[0].Calls != 7 || len(h.Wedged) != 1 || h.Wedged[0].For != 3 ||
		h.Throttle == nil || h.Throttle.State != throttling.Closed || h.Throttle.CPUs[0].Idle != 0.5 {
		t.Errorf("%+v, %v", h, err)
	}
	for name, tt := range map[string]struct{ err, want error }{
		"try too much":       {tried(c.Try(ctx, []master.Wish{{Domain: "web", Budget: 100 * ms, Period: 100 * ms}})), host.ErrNotAdmitted},
		"try what is absent": {tried(c.Try(ctx, []master.Wish{{Domain: "x", Budget: 90 * ms, Period: 100 * ms}})), host.ErrNotAdmitted},
		"try":                {tried(c.Try(ctx, []master.Wish{{Domain: "web", Budget: 20 * ms, Period: 100 * ms}})), nil},
		"nothing":            {second(c.Adopt(ctx, master.Wish{Domain: "web", Budget: 0, Period: 100 * ms})), rtsched.ErrRange},
		"a control":          {second(c.Adopt(ctx, master.Wish{Domain: "0", Budget: 10 * ms, Period: 100 * ms})), master.ErrControl},
		"release nobody":     {second(c.Release(ctx, "x")), master.ErrNotAdopted},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	trial, err := c.Try(ctx, []master.Wish{{Domain: "x", Budget: 10 * ms, Period: 100 * ms}})
	if err != nil || !slices.Equal(trial.Absent, []string{"x"}) || !slices.Equal(trial.CPUs, []int{0}) {
		t.Errorf("a domain that is not there: %+v, %v", trial, err)
	}
	if _, err := c.Release(ctx, "web"); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestCalls(t *testing.T) {
	c, socket := serve(t)
	b, err := receipt.Open(filepath.Dir(socket))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.Recorder(receipt.Caller{UID: 7, Comm: "tool"}, "u", "web").Record("l", "f", vlibcall.Receipt{Wall: time.Millisecond}, vlibcall.ErrGone)
	all, err := c.Calls(t.Context())
	if err != nil || len(all.Accounts) != 1 || all.Health.Books != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	a := all.Accounts[0]
	if a.UID != 7 || a.Name != "web" || a.Wall.Count() != 1 || a.Wall.Sum != time.Millisecond || a.Errors["gone"] != 1 {
		t.Errorf("%+v", a)
	}
	if err := c.ask(t.Context(), "GET", "/more", nil, &struct{}{}); err != nil {
		t.Errorf("one more path: %v", err)
	}
}

func second(_ master.Adoption, err error) error { return err }

func tried(_ master.Trial, err error) error { return err }

func TestNoMaster(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	c := NewClient(socket)
	defer c.Close()
	if _, err := c.Domains(t.Context()); !errors.Is(err, ErrNoMaster) {
		t.Errorf("no socket: %v", err)
	}
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := c.Domains(t.Context()); !errors.Is(err, ErrNoMaster) {
		t.Errorf("a dead master's socket: %v", err)
	}
}

// A master that hangs, or ends in mid-answer, is spoken of by its socket.
func TestMasterThatDoesNotAnswerIsNamed(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var first net.Conn // hangs; those behind it end at once
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if first != nil {
				conn.Close()
			} else {
				first = conn
			}
		}
	})
	c := NewClient(socket)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Domains(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), socket+": the master does not answer") {
		t.Errorf("one that hangs: %v", err)
	}
	if _, err = c.Domains(t.Context()); !errors.Is(err, ErrNoMaster) || strings.Contains(err.Error(), "http://") {
		t.Errorf("one that ends: %v", err)
	}
	if _, err := NewClient("/" + strings.Repeat("a", 120)).Domains(t.Context()); !errors.Is(err, unixpath.ErrTooLong) {
		t.Errorf("a path that is too long: %v", err)
	}
	l.Close()
	served.Wait()
	first.Close()
}

func TestRubbishIsAnswered(t *testing.T) {
	_, socket := serve(t)
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(slowest))
	if _, err := conn.Write([]byte("POST /v1/adopt HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"what\":1")); err != nil {
		t.Fatal(err)
	}
	var b [64]byte
	n, err := conn.Read(b[:])
	if err != nil || string(b[:12]) != "HTTP/1.1 400" {
		t.Errorf("%q, %v", b[:n], err)
	}
}

// TestReserve passes on what a host without threads says.
func TestReserve(t *testing.T) {
	c, _ := serve(t)
	_, err := c.Reserve(t.Context(), master.Claim{Members: host.Members{PID: 1}, Budget: time.Millisecond, Period: time.Second})
	if !errors.Is(err, host.ErrNotHere) {
		t.Errorf("%v", err)
	}
	if _, err := c.Unreserve(t.Context(), 2048); !errors.Is(err, master.ErrNotReserved) {
		t.Errorf("%v", err)
	}
	if h, err := c.Domains(t.Context()); err != nil || h.Threads == nil || len(h.Threads) != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}
