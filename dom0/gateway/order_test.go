// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// post makes a call of t:function in a channel of its own, and returns when it
// is in the queue: a channel's methods return only when the call has ended.
func (h *fakeHost) post(domain, function, input string) {
	h.t.Helper()
	dir := filepath.Join(h.o.Dir, domain)
	ep, err := native.Domain(dir).Dial(h.t.Context(), transport.Offer{Port: 1, Size: 8192})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { ep.Close() })
	page := memory.Page(ep.Header())
	page.Attach(1)
	text := memory.Names("t", function) + input
	page.Ask(0, 1, memory.ShapeOf(uint32(len(text)), 0, memory.FlagNames), text)
	if err := ep.Notify(); err != nil {
		h.t.Fatal(err)
	}
}

// Calls that queue while the vLib OS is busy are made in order of arrival.
func TestQueuedCallsAreMadeInOrder(t *testing.T) {
	h := newHost(t, nil)
	var mu sync.Mutex
	var order []string
	began, release := make(chan struct{}), make(chan struct{})
	h.vlibOS("web", map[string]vlibcall.Handler{
		"first": func(*vlibcall.Call) error { close(began); <-release; return nil },
		"next": func(c *vlibcall.Call) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, string(c.Input()))
			return nil
		},
	})
	h.configure(nil, mine("web", testkit.Patience))
	first := h.client("web", 0).Go(t.Context(), "t", "first", nil, nil)
	<-began
	var want []string
	for i := range 10 {
		name := fmt.Sprint(i)
		want = append(want, name)
		h.post("web", "next", name)
	}
	testkit.Eventually(t, "all of them wait", func() bool { return h.List()[0].Waiting == len(want) })
	close(release)
	if _, err := first.Result(); err != nil {
		t.Error(err)
	}
	h.echoes(h.client("web", 0)) // the last in the queue
	if s := h.List()[0]; s.Waiting != 0 || s.Done != 12 || s.Failed != 0 || s.Calls != 12 {
		t.Errorf("%+v", s)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(order, want) {
		t.Errorf("served %v", order)
	}
}
