// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
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
func (fakeHost) Work(context.Context, host.Domain) (host.Work, error) { return host.Work{}, nil }
func (fakeHost) Can() host.Abilities                                  { return host.Abilities{} }
func (fakeHost) Reserve(context.Context, host.Reservation) error      { return nil }
func (fakeHost) Unreserve(context.Context, host.Reservation) error    { return nil }
func (fakeHost) Renew(time.Duration) error                            { return nil }
func (fakeHost) Usage(context.Context, host.Reservation) (host.Usage, error) {
	return host.Usage{Foreground: 5}, nil
}

// calls has one vLib OS, which is wedged.
type calls struct{}

func (calls) List() []api.Target { return []api.Target{{Domain: "web", Port: 1, Calls: 7}} }
func (calls) Watched() []api.Watched {
	return []api.Watched{{Domain: "web", Wedged: true, For: 3, Restarts: 1}, {Domain: "sound"}}
}

// caches knows the use of one domain.
type caches struct{}

func (caches) Class(string) string { return "" }
func (caches) Use(context.Context) map[string]host.CacheUse {
	return map[string]host.CacheUse{"1": {Occupied: 5}}
}
func (caches) Caches(context.Context) (api.Caches, error) { return api.Caches{Capacity: 9}, nil }

type throttled struct{}

func (throttled) Status() *api.Throttle {
	return &api.Throttle{Source: "probe", State: api.ThrottleClosed, CPUs: []api.ThrottleCPU{{ID: 3, Idle: 0.5}}}
}

// brokenHost cannot say what was used.
type brokenHost struct{ fakeHost }

func (brokenHost) Usage(context.Context, host.Reservation) (host.Usage, error) {
	return host.Usage{}, errors.New("invalid argument")
}

// An entry that cannot be read does not keep the others from the client.
func TestOneEntrysFailureIsNotTheHosts(t *testing.T) {
	c, _ := serveHost(t, brokenHost{})
	if _, err := c.Reserve(t.Context(), want("web", time.Millisecond, time.Second)); err != nil {
		t.Fatal(err)
	}
	h, err := c.Host(t.Context())
	if err != nil || len(h.Reservations) != 1 || h.Reservations[0].Problem != "invalid argument" || len(h.Called) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

// want is a reservation for a domain.
func want(ref string, budget, period time.Duration) api.Reservation {
	return api.Reservation{Reservation: host.Domain{Name: ref}.On(rtsched.Task{Budget: budget, Period: period})}
}

func serve(t *testing.T) (*client.Client, string) {
	t.Helper()
	return serveHost(t, fakeHost{})
}

func serveHost(t *testing.T, p host.Host) (*client.Client, string) {
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
	go func() { done <- Serve(ctx, l, m, calls{}, throttled{}, caches{}, ServeCalls(shelf), more) }()
	c := client.New(socket)
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
	all, err := c.All(ctx)
	if err != nil || len(all.Domains) != 2 || all.Domains[0].Cache == nil || all.Domains[0].Cache.Occupied != 5 || all.Domains[1].Cache != nil {
		t.Errorf("all domains: %+v, %v", all, err)
	}
	if shared, err := c.Caches(ctx); err != nil || shared.Capacity != 9 {
		t.Errorf("caches: %+v, %v", shared, err)
	}
	a, err := c.Reserve(ctx, want("web", 10*ms, 100*ms))
	if err != nil || a.Domain.UUID != "u" || a.Budget != 10*ms {
		t.Fatalf("%+v, %v", a, err)
	}
	h, err := c.Host(ctx)
	if err != nil || h.Host != "test" || len(h.Reservations) != 1 || h.Reservations[0].Foreground != 5 ||
		len(h.Called) != 1 || h.Called[0].Calls != 7 || len(h.Wedged) != 1 || h.Wedged[0].For != 3 ||
		h.Throttle == nil || h.Throttle.State != api.ThrottleClosed || h.Throttle.CPUs[0].Idle != 0.5 {
		t.Errorf("%+v, %v", h, err)
	}
	for name, tt := range map[string]struct{ err, want error }{
		"try too much":                {tried(c.Try(ctx, []api.Reservation{want("web", 100*ms, 100*ms)})), host.ErrNotAdmitted},
		"try what is absent":          {tried(c.Try(ctx, []api.Reservation{want("x", 90*ms, 100*ms)})), host.ErrNotAdmitted},
		"try":                         {tried(c.Try(ctx, []api.Reservation{want("web", 20*ms, 100*ms)})), nil},
		"nothing":                     {second(c.Reserve(ctx, want("web", 0, 100*ms))), rtsched.ErrRange},
		"a control":                   {second(c.Reserve(ctx, want("0", 10*ms, 100*ms))), api.ErrControl},
		"release what is not adopted": {second(c.Release(ctx, "x")), api.ErrNotAdopted},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	trial, err := c.Try(ctx, []api.Reservation{want("x", 10*ms, 100*ms)})
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
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /more HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "HTTP/1.1 200 OK\r\n" {
		t.Errorf("one more path: %q, %v", line, err)
	}
}

func second(_ api.Reservation, err error) error { return err }

func tried(_ api.Trial, err error) error { return err }

func TestRubbishIsAnswered(t *testing.T) {
	_, socket := serve(t)
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(slowest))
	if _, err := conn.Write([]byte("POST /v1/reserve HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"what\":1")); err != nil {
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
	_, err := c.Reserve(t.Context(), api.Reservation{Reservation: host.Reservation{
		Task: rtsched.Task{Budget: time.Millisecond, Period: time.Second}, Holder: host.Holder{Threads: &host.Members{PID: 1}},
	}})
	if !errors.Is(err, host.ErrNotHere) {
		t.Errorf("%v", err)
	}
	if _, err := c.Unreserve(t.Context(), 2048); !errors.Is(err, api.ErrNotReserved) {
		t.Errorf("%v", err)
	}
	if h, err := c.Host(t.Context()); err != nil || h.Reservations == nil || len(h.Reservations) != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}
