// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

func TestCallsAreForwardedWithTheirErrors(t *testing.T) {
	h := newHost(t, nil)
	h.vlibOS("web", map[string]vlibcall.Handler{
		"bad":  func(*vlibcall.Call) error { return errors.New("it is broken") },
		"none": func(*vlibcall.Call) error { return vlibcall.ErrNoFunction },
	})
	rule := mine("web", testkit.Patience)
	rule.Library, rule.Functions = "t", []string{"echo", "bad", "none", "missing"}
	h.configure(nil, rule)
	c := h.client("web", 0)
	h.echoes(c)
	for f, want := range map[string]error{"bad": vlibcall.ErrFailed, "none": vlibcall.ErrNoFunction, "missing": vlibcall.ErrNoFunction, "else": vlibcall.ErrDenied} {
		if _, err := call(c, f, ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", f, err, want)
		}
	}
	_, err := call(c, "else", "")
	if err == nil || !strings.Contains(err.Error(), `[[allow]] user = `) || !strings.Contains(err.Error(), `library = "t", function = "else" is missing`) {
		t.Error(err)
	}
	h.echoes(c)
	// Calls of a session are like others.
	s, err := c.Session(t.Context(), "t", "echo")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if out, err := s.Call(t.Context(), []byte("in a session"), nil); string(out) != "in a session" || err != nil {
			t.Errorf("%q, %v", out, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	// A denied function is denied in a session, too.
	if s, err = c.Session(t.Context(), "t", "else"); err == nil {
		if _, err = s.Call(t.Context(), nil, nil); !errors.Is(err, vlibcall.ErrDenied) {
			t.Error(err)
		}
		s.Close()
	}
	// For larger calls the gateway opens a larger channel.
	big, err := h.open("web", 4<<20, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer big.Close()
	want := bytes.Repeat([]byte("0123456789abcde\n"), 100_000)
	if out, err := big.Call(t.Context(), "t", "echo", want, nil); !bytes.Equal(out, want) || err != nil {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	h.echoes(c)
	if s := h.List(); len(s) != 1 || s[0].Domain != "web" || s[0].Clients != 2 || s[0].Refused != 3 || s[0].Failed != 3 || s[0].Timeouts != 0 || s[0].Done+s[0].Failed != s[0].Calls {
		t.Errorf("%+v", s)
	}
}

func TestUsersWithoutARuleAreRefused(t *testing.T) {
	h := newHost(t, nil)
	h.vlibOS("web", nil)
	stranger := mine("web", time.Second)
	stranger.ID++
	h.configure(nil, stranger, mine("other", time.Second))
	if _, err := h.open("web", 8192, time.Second); !errors.Is(err, vlibcall.ErrDenied) || !strings.Contains(err.Error(), `domain = "web", port = 1 is missing`) {
		t.Error(err)
	}
	if _, err := h.open("nobody", 8192, time.Second); !errors.Is(err, vlibcall.ErrGone) {
		t.Error(err)
	}
	// A rule is added, and one is removed.
	h.configure(nil, stranger, mine("web", testkit.Patience))
	c := h.client("web", 0)
	h.echoes(c)
	h.configure(nil, stranger)
	if _, err := call(c, "echo", ""); !errors.Is(err, vlibcall.ErrDenied) {
		t.Error("the rule is gone:", err)
	}
	h.configure(nil)
	if _, err := call(c, "echo", ""); !errors.Is(err, vlibcall.ErrGone) {
		t.Error("the target is gone:", err)
	}
	if left, err := os.ReadDir(h.o.Dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestFailedPrepareChangesNothing(t *testing.T) {
	h := newHost(t, nil)
	h.vlibOS("web", nil)
	h.configure(nil, mine("web", testkit.Patience))
	c := h.client("web", 0)
	// A directory where the socket should be cannot be replaced.
	if err := os.MkdirAll(filepath.Join(native.Socket(filepath.Join(h.o.Dir, "z"), 1), "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Prepare(policy.Rules{mine("new", 1), mine("z", 1)}, nil); err == nil {
		t.Fatal("prepared")
	}
	h.echoes(c)
	if _, err := os.Stat(filepath.Join(h.o.Dir, "new")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	change, err := h.Prepare(policy.Rules{mine("new", 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	change.Abort()
	h.echoes(c)
}

func TestChannelsOfAUserAreLimited(t *testing.T) {
	h := newHost(t, nil)
	h.vlibOS("web", nil)
	h.configure(nil, mine("web", testkit.Patience))
	var open []*vlibcall.Channel
	for range userChannels {
		c, err := h.open("web", 8192, testkit.Patience)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if _, err := h.open("web", 8192, testkit.Patience); !errors.Is(err, vlibcall.ErrDenied) || !strings.Contains(err.Error(), "16 channels") {
		t.Error(err)
	}
	for _, c := range open {
		h.echoes(c)
		c.Close()
	}
	testkit.Eventually(t, "the channels are given back", func() bool { return h.List()[0].Clients == 0 })
	c, err := h.open("web", 12<<20, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := h.open("web", 8<<20, testkit.Patience); !errors.Is(err, vlibcall.ErrDenied) || !strings.Contains(err.Error(), "bytes of channels") {
		t.Error(err)
	}
}

func TestCallsEndByTheRulesTimeout(t *testing.T) {
	h := newHost(t, nil)
	began, cancelled := make(chan struct{}, 10), make(chan struct{}, 10)
	h.vlibOS("web", map[string]vlibcall.Handler{"hang": func(c *vlibcall.Call) error {
		began <- struct{}{}
		<-c.Context(context.Background()).Done()
		cancelled <- struct{}{}
		return vlibcall.ErrCancelled
	}})
	h.configure(nil, mine("web", testkit.Patience))
	c := h.client("web", 0)
	h.echoes(c)
	h.configure(nil, mine("web", 300*ms))
	start := time.Now()
	_, err := call(c, "hang", "")
	if took := time.Since(start); !errors.Is(err, vlibcall.ErrTimeout) || !strings.Contains(err.Error(), "the rule allows 300ms") || took < 300*ms {
		t.Errorf("the rule's: %v after %v", err, took)
	}
	<-began
	<-cancelled
	h.configure(nil, mine("web", testkit.Patience))
	h.echoes(c)
	// A client gives up.
	ctx, cancel := context.WithCancel(t.Context())
	p := c.Go(ctx, "t", "hang", nil, nil)
	<-began
	cancel()
	if _, err := p.Result(); !errors.Is(err, vlibcall.ErrTimeout) || strings.Contains(err.Error(), "rule") {
		t.Error("the client's:", err)
	}
	<-cancelled
	// A client that dies cancels its call.
	dying := h.client("web", testkit.Patience)
	p = dying.Go(t.Context(), "t", "hang", nil, nil)
	<-began
	dying.Close()
	if _, err := p.Result(); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	<-cancelled
	h.echoes(c)
}
