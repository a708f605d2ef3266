// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// A wedged vLib OS is found and logged once. Queued calls end by their own
// timeouts, and when the server comes back, calls succeed again.
func TestWedgedServerIsReportedUntilItIsBack(t *testing.T) {
	h := newHost(t, nil)
	release := make(chan struct{})
	h.vlibOS("web", map[string]vlibcall.Handler{"hang": func(*vlibcall.Call) error { <-release; return nil }})
	wedging := []policy.Wedging{{Domain: "web", After: 500 * ms}}
	h.configure(wedging, mine("web", testkit.Patience))
	c, other := h.client("web", 0), h.client("web", 0)
	h.echoes(c)
	h.configure(wedging, mine("web", 200*ms))
	if _, err := call(c, "hang", ""); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Error(err)
	}
	if _, err := call(other, "echo", ""); !errors.Is(err, vlibcall.ErrTimeout) || !strings.Contains(err.Error(), "abandoned call") {
		t.Error("behind it:", err)
	}
	// A replaced channel is still watched.
	big, err := h.open("web", 1<<20, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer big.Close()
	if _, err := call(big, "echo", ""); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Error("in a larger channel:", err)
	}
	testkit.Eventually(t, "it is found", func() bool { return len(wedged(h.Gateway)) == 1 })
	if w := wedged(h.Gateway)[0]; w.Domain != "web" || w.For < 500*ms || w.Restarts != 0 {
		t.Errorf("%+v", w)
	}
	if w := h.Watched(); len(w) != 1 || !w[0].Wedged || w[0].Domain != "web" {
		t.Errorf("%+v", w)
	}
	if s := h.List()[0]; s.Done != 1 || s.Failed != 3 || s.Timeouts != 3 {
		t.Errorf("%+v", s)
	}
	time.Sleep(4 * lookEvery)
	if n := h.log.Count("a vLib OS is wedged"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	close(release)
	testkit.Eventually(t, "it is back", func() bool { return len(wedged(h.Gateway)) == 0 })
	if w := h.Watched(); len(w) != 1 || w[0].Wedged || w[0].For != 0 {
		t.Errorf("%+v", w)
	}
	h.configure(wedging, mine("web", testkit.Patience))
	h.echoes(other)
	h.echoes(big)
	h.echoes(c)
}

// The command is run once, and the queue is served again.
func TestRestartCommandRunsOnce(t *testing.T) {
	h := newHost(t, nil)
	server := h.killable("web")
	ran := filepath.Join(t.TempDir(), "ran")
	script := fmt.Sprintf("echo run >>%s; echo so it was; kill -KILL %d", ran, server.Process.Pid)
	wedging := []policy.Wedging{{Domain: "web", After: 300 * ms, Restart: []string{"sh", "-c", script}}}
	allow := func(timeout time.Duration) { h.configure(wedging, mine("web", timeout)) }
	allow(testkit.Patience)
	c := h.client("web", 0)
	h.echoes(c)
	allow(200 * ms)
	if _, err := call(c, "hang", ""); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Error(err)
	}
	waiting := h.client("web", 0)
	testkit.Eventually(t, "the command is done", func() bool { return h.log.Count("the restart command is done") == 1 })
	if h.log.Count(`output="so it was`) != 1 {
		t.Error("its output is not logged")
	}
	server.Wait() // until then its socket is there
	h.killable("web")
	allow(testkit.Patience)
	testkit.Eventually(t, "the queue is served", func() bool {
		_, err := call(waiting, "echo", "x")
		return err == nil
	})
	h.echoes(c)
	testkit.Eventually(t, "it is not wedged", func() bool { return len(wedged(h.Gateway)) == 0 })
	// Wedged again at once: it is reported, and not restarted before the pause.
	allow(200 * ms)
	if _, err := call(c, "hang", ""); !errors.Is(err, vlibcall.ErrTimeout) {
		t.Error(err)
	}
	testkit.Eventually(t, "it is found", func() bool { return h.log.Count("no restart before") == 1 })
	if w := wedged(h.Gateway); len(w) != 1 || w[0].Restarts != 1 {
		t.Errorf("%+v", w)
	}
	if b, err := os.ReadFile(ran); string(b) != "run\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestRestartCommandIsBoundedAndWithoutAShell(t *testing.T) {
	for _, tt := range []struct {
		command []string
		fails   bool
		output  int
	}{
		{[]string{"true"}, false, 0},
		{[]string{"false"}, true, 0},
		{[]string{"/no/such/command"}, true, 0},
		{[]string{"sh", "-c", "yes | head -c 100000"}, false, restartWords},
		// A background process does not delay it.
		{[]string{"sh", "-c", "sleep 20 & echo done"}, false, 5},
		{[]string{"echo", "$HOME;`true`"}, false, 13}, // no shell
	} {
		start := time.Now()
		out, err := restart(t.Context(), tt.command)
		if (err != nil) != tt.fails || len(out) != tt.output || time.Since(start) > 15*time.Second {
			t.Errorf("%q: %q, %v, after %v", tt.command, out, err, time.Since(start))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
	defer cancel()
	start := time.Now()
	if _, err := restart(ctx, []string{"sh", "-c", "sleep 1000; true"}); err == nil || time.Since(start) > 15*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// The host reports calls that did not come through the gateway.
func TestServerWedgedByOtherCallsIsFound(t *testing.T) {
	var stuck atomic.Bool
	h := newHost(t, func(o *Options) {
		o.Stuck = func(_ context.Context, domains []string) ([]string, error) {
			if stuck.Load() {
				return []string{"db"}, errors.New("cannot look at " + strings.Join(domains, ", "))
			}
			return nil, nil
		}
	})
	h.configure([]policy.Wedging{{Domain: "db", After: 300 * ms}}, mine("web", 1))
	stuck.Store(true)
	testkit.Eventually(t, "it is found", func() bool { return len(wedged(h.Gateway)) == 1 })
	if w := wedged(h.Gateway)[0]; w.Domain != "db" || h.log.Count("cannot look at db, web") != 1 {
		t.Errorf("%+v", w)
	}
	stuck.Store(false)
	testkit.Eventually(t, "it is back", func() bool { return len(wedged(h.Gateway)) == 0 })
}

// A calls B, and B calls A, all through the gateway. A still serves the first
// call when the second arrives, which ends by its timeout.
func TestCircularCallEndsByItsTimeout(t *testing.T) {
	h := newHost(t, nil)
	through := func(domain string) vlibcall.Handler {
		return func(c *vlibcall.Call) error {
			ch, err := vlibcall.Open(t.Context(), native.Domain(filepath.Join(h.o.Dir, domain)), vlibcall.Options{Size: 8192})
			if err != nil {
				return err
			}
			defer ch.Close()
			_, err = ch.Call(c.Context(t.Context()), "t", "around", nil, nil)
			return err
		}
	}
	h.vlibOS("a", map[string]vlibcall.Handler{"around": through("b")})
	h.vlibOS("b", map[string]vlibcall.Handler{"around": through("a")})
	h.configure(nil, mine("a", 500*ms), mine("b", testkit.Patience))
	c := h.client("a", 0)
	start := time.Now()
	if _, err := call(c, "around", ""); !errors.Is(err, vlibcall.ErrTimeout) || time.Since(start) > testkit.Patience {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	testkit.Eventually(t, "both serve again", func() bool {
		_, err := call(c, "echo", "")
		return err == nil
	})
	h.echoes(h.client("b", testkit.Patience))
}

// wedged are those of the watched domains that are wedged.
func wedged(g *Gateway) []api.Watched {
	return slices.DeleteFunc(g.Watched(), func(w api.Watched) bool { return !w.Wedged })
}
