// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/xapi/xapitest"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/rtsched"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const ms = time.Millisecond

// fakeHost is a host that only records.
type fakeHost struct {
	host.Host // what is not used here

	mu      sync.Mutex
	domains []host.Domain
	on      map[string]rtsched.Task // by domain
	changes int
}

func (h *fakeHost) Name() string        { return "test" }
func (h *fakeHost) Can() host.Abilities { return host.Abilities{} }
func (h *fakeHost) Own() error          { return nil }
func (h *fakeHost) Notes() []string     { return nil }

func (h *fakeHost) Floor() (rtsched.Task, time.Duration) { return rtsched.Task{}, 0 }

func (h *fakeHost) Domains(context.Context) ([]host.Domain, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]host.Domain{}, h.domains...), nil
}

func (h *fakeHost) Reserve(_ context.Context, r host.Reservation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes++
	h.on[r.Domain.ID] = r.Task
	return nil
}

func (h *fakeHost) Unreserve(_ context.Context, r host.Reservation) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changes++
	delete(h.on, r.Domain.ID)
	return nil
}

func (h *fakeHost) Usage(context.Context, host.Reservation) (host.Usage, error) {
	return host.Usage{}, nil
}

// budget is what a domain has on the host.
func (h *fakeHost) budget(id string) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.on[id].Budget
}

func (h *fakeHost) run(all ...host.Domain) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.domains = all
}

// classes are the cache classes of a host that has none but "wide".
type classes struct {
	mu    sync.Mutex
	asked map[string]string
}

func (c *classes) Ask(_ context.Context, asked map[string]string) map[string]error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = asked
	problems := make(map[string]error)
	for uuid, class := range asked {
		if class != "wide" {
			problems[uuid] = fmt.Errorf("the configuration has no cache class %q", class)
		}
	}
	return problems
}

func (c *classes) get() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

// site is a host with XAPI and a master.
type site struct {
	*testing.T
	xapi   *xapitest.XAPI
	host   *fakeHost
	master *master.Master
	broker *Broker
	log    *testkit.Text
	config config.XAPI
	name   string // of this host, which begins each status
	dir    string // with the state

	inventory string
	classes   *classes
	stop      func()
}

const web, db = "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"

func domain(id, uuid, name string) host.Domain {
	return host.Domain{ID: id, UUID: uuid, Name: name, CPUs: []int{0}}
}

// newSite has the domains web, 5, and db, 6, on one CPU, whose VMs ask for nothing.
func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteOf(t, xapitest.New())
}

func newSiteOf(t *testing.T, x *xapitest.XAPI) *site {
	t.Helper()
	s := &site{T: t, xapi: x, host: &fakeHost{on: make(map[string]rtsched.Task)}, log: new(testkit.Text), dir: t.TempDir()}
	s.host.run(domain("5", web, "web"), domain("6", db, "db"))
	s.add(web, "web", 5)
	s.add(db, "db", 6)
	s.config.Options = s.xapi.Options(t)
	s.inventory = filepath.Join(t.TempDir(), "inventory")
	if err := os.WriteFile(s.inventory, []byte("PRODUCT_BRAND='XCP-ng'\nINSTALLATION_UUID='"+xapitest.Host+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(func() { s.stop() })
	testkit.Eventually(t, "XAPI answers", func() bool { return s.broker.Status().Known })
	return s
}

// start starts a master, and restart another in its place.
func (s *site) start() {
	s.Helper()
	log := logTo(s.T, s.log)
	s.classes = new(classes)
	s.broker = New(s.inventory, s.dir, log)
	s.name = s.broker.name + ": "
	var err error
	if s.master, err = master.Open(s.Context(), s.broker.Named(s.host), s.dir, log); err != nil {
		s.Fatal(err)
	}
	s.broker.Recall(s.Context(), s.classes)
	s.move(s.config)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.broker.Run(ctx, s.master, s.classes); close(done) }()
	s.stop = func() {
		cancel()
		<-done
		s.master.Close()
	}
}

func (s *site) restart() {
	s.Helper()
	s.stop()
	s.start()
}

func logTo(t *testing.T, w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(io.MultiWriter(w, t.Output()), nil))
}

func (s *site) move(c config.XAPI) {
	s.Helper()
	if err := s.broker.Move(c, func() error { return nil }); err != nil {
		s.Fatal(err)
	}
}

func (s *site) add(uuid, name string, domid int) {
	s.xapi.Add(xapitest.VM{UUID: uuid, Name: name, Power: "Running", Domid: domid, Host: xapitest.HostRef})
}

// ask sets entries, as in "budget=10ms".
func (s *site) ask(uuid string, entries ...string) {
	for _, e := range entries {
		key, text, _ := strings.Cut(e, "=")
		s.xapi.Set("OpaqueRef:"+uuid, "vlibos:"+key, text)
	}
}

// answered waits until XAPI has a status that contains words, or none if words is
// empty.
func (s *site) answered(uuid, words string) {
	s.Helper()
	got := ""
	testkit.Eventually(s, fmt.Sprintf("%s has the status %q", uuid, words), func() bool {
		s.review()
		got = s.xapi.Get("OpaqueRef:"+uuid, "vlibos:status")
		if words == "" {
			return got == ""
		}
		return strings.HasPrefix(got, s.name) && strings.Contains(got, words)
	})
}

// review is what the master does twice a second.
func (s *site) review() {
	s.Helper()
	if err := s.master.Review(s.Context()); err != nil {
		s.Fatal(err)
	}
}

// list are the reservations.
func (s *site) list() []api.Status {
	s.Helper()
	all, err := s.master.List(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return all
}
