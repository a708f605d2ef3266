// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
	"github.com/vlibos/vlibos/xenctl/xenstore"
	"github.com/vlibos/vlibos/xenctl/xenstore/xenstoretest"
)

// fakeGates has domain 3, which listens, and domain 4, which the module does not
// know.
type fakeGates struct {
	mu    sync.Mutex
	flags vlib.DomainFlags // of domain 3
	last  vlib.Hold
	holds map[vlib.Hold]time.Duration
}

func (f *fakeGates) Domains() ([]xenctl.DomainInfo, error) {
	return []xenctl.DomainInfo{{ID: 0}, {ID: 3}, {ID: 4}}, nil
}

func (f *fakeGates) Domain(id uint16) (vlib.Domain, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id != 3 {
		return vlib.Domain{}, vlib.ErrUnknown
	}
	return vlib.Domain{ID: id, Flags: f.flags}, nil
}

func (f *fakeGates) Hold(id uint16, limit time.Duration) (vlib.Hold, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id != 3 {
		return 0, vlib.ErrUnknown
	}
	f.last++
	f.holds[f.last] = limit
	return f.last, nil
}

func (f *fakeGates) Drop(_ uint16, hold vlib.Hold) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.holds, hold)
	return nil
}

func (f *fakeGates) taken() (ever int, now int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int(f.last), len(f.holds)
}

// begin runs requests in a store with these nodes, until the gated domain is watched.
func begin(t *testing.T, f *fakeGates, nodes map[string]string) (*xenstore.Client, *xenstoretest.Server) {
	t.Helper()
	f.holds = make(map[vlib.Hold]time.Duration)
	daemon, err := xenstoretest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Close() })
	t.Setenv("XENSTORED_PATH", daemon.Path)
	c, err := xenstore.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	for path, value := range nodes {
		write(t, c, path, value)
	}
	r := &requests{gates: f, store: c}
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { r.run(ctx) })
	t.Cleanup(func() {
		cancel()
		work.Wait()
		if n := r.note(); n != "" {
			t.Error(n)
		}
	})
	testkit.Eventually(t, "the domain is watched", func() bool {
		_, watches := daemon.Open()
		return watches == len(requestNodes)
	})
	return c, daemon
}

func write(t *testing.T, c *xenstore.Client, path, value string) {
	t.Helper()
	if err := c.Write(t.Context(), path, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func TestRequestOpensTheGateOfAListeningDomain(t *testing.T) {
	for _, flags := range []vlib.DomainFlags{vlib.Listens, vlib.Parks, vlib.Closed} {
		f := &fakeGates{flags: flags}
		c, _ := begin(t, f, map[string]string{"/local/domain/3/control/shutdown": "", "/local/domain/4/control/shutdown": "suspend"})
		if ever, _ := f.taken(); ever != 0 {
			t.Errorf("%v: the gate was opened %d times without a request", flags, ever)
		}
		write(t, c, "/local/domain/3/control/shutdown", "suspend")
		testkit.Eventually(t, "the gate is held open", func() bool { _, now := f.taken(); return now == 1 })
		write(t, c, "/local/domain/3/control/shutdown", "")
		testkit.Eventually(t, "the gate is held from the last change on", func() bool { ever, now := f.taken(); return ever == 2 && now == 1 })
	}
}

func TestRequestMadeBeforeIsSeen(t *testing.T) {
	f := &fakeGates{flags: vlib.Listens}
	begin(t, f, map[string]string{"/local/domain/3/control/shutdown": "poweroff"})
	testkit.Eventually(t, "the gate is held open", func() bool { _, now := f.taken(); return now == 1 })
}

func TestDomainThatIsNoLongerGatedIsNotWatched(t *testing.T) {
	f := &fakeGates{flags: vlib.Listens}
	_, daemon := begin(t, f, nil)
	f.mu.Lock()
	f.flags = vlib.Critical
	f.mu.Unlock()
	testkit.Eventually(t, "its watches have ended", func() bool { _, watches := daemon.Open(); return watches == 0 })
}
