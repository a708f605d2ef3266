// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// Event says that a node may have changed, and should be read again.
type Event struct {
	// Path is the node that changed, in the form in which the watch was set:
	// relative paths stay relative.
	Path string

	// Resync says that more nodes changed than the watch remembers: read
	// everything below the watched path, which is Path then.
	Resync bool
}

// watchQueue is how many different paths a watch remembers. The daemon allows a
// whole domain 1,000 nodes, so more would be a burst that was not read for
// long.
const watchQueue = 1024

// Watch reports changes of a node and of everything below it. Events are never
// lost and never block the connection: a path that already waits is not added
// again, and more than 1,024 different waiting paths are replaced by one event
// with Resync.
type Watch struct {
	client *Client
	path   string
	wanted func(path string) bool // nil: all paths are
	token  string
	closed chan struct{}
	wake   chan struct{} // an event may wait

	mu      sync.Mutex
	order   []string
	waiting map[string]struct{} // the paths in order
	resync  bool
	once    bool // Close has been called
}

// Watch begins to watch a node, which need not exist. Names that begin with @
// are the daemon's own, such as @releaseDomain. The first event, with the path
// itself, comes at once. The caller closes the watch.
func (c *Client) Watch(ctx context.Context, path string) (*Watch, error) {
	return c.WatchFor(ctx, path, nil)
}

// WatchFor is Watch for those changes only for which wanted returns true. It is called
// with the path of each, in their order, by the goroutine that receives: it must not
// block, nor use the client.
func (c *Client) WatchFor(ctx context.Context, path string, wanted func(path string) bool) (*Watch, error) {
	if err := checkPath(path); err != nil {
		return nil, opError("watch", path, err)
	}
	w := &Watch{
		client:  c,
		path:    path,
		wanted:  wanted,
		closed:  make(chan struct{}),
		wake:    make(chan struct{}, 1),
		waiting: map[string]struct{}{},
	}
	c.mu.Lock()
	c.tokens++
	w.token = strconv.FormatUint(c.tokens, 10)
	c.watches[w.token] = w // before the request: the first event may overtake the answer
	c.mu.Unlock()

	request := protocol.Message{Type: protocol.Watch, Payload: protocol.Join(path, w.token)}
	if _, err := c.roundTrip(ctx, request, func([]byte) { w.unwatch() }); err != nil {
		w.forget()
		return nil, opError("watch", path, err)
	}
	return w, nil
}

// Next waits for the next event. Several goroutines may wait; each event goes
// to one of them. After Close the error is os.ErrClosed, and after the
// connection broke ErrBroken, in both cases after the waiting events have been
// taken.
func (w *Watch) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := w.take(); ok {
			return e, nil
		}
		var err error
		select {
		case <-w.wake:
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-w.closed:
			err = os.ErrClosed
		case <-w.client.done:
			err = w.client.reason()
		}
		if e, ok := w.take(); ok {
			return e, nil
		}
		return Event{}, opError("wait for a change of", w.path, err)
	}
}

// Close ends the watch and all calls of Next. It does not wait for the daemon.
// Closing again does nothing.
func (w *Watch) Close() error {
	w.mu.Lock()
	again := w.once
	w.once = true
	w.mu.Unlock()
	if again {
		return nil
	}
	close(w.closed)
	w.forget()
	w.unwatch()
	return nil
}

func (w *Watch) forget() {
	w.client.mu.Lock()
	defer w.client.mu.Unlock()
	delete(w.client.watches, w.token)
}

func (w *Watch) unwatch() {
	w.client.post(protocol.Message{Type: protocol.Unwatch, Payload: protocol.Join(w.path, w.token)})
}

func (w *Watch) take() (Event, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var e Event
	switch {
	case w.resync:
		w.resync = false
		e = Event{Path: w.path, Resync: true}
	case len(w.order) > 0:
		e = Event{Path: w.order[0]}
		w.order = w.order[1:]
		delete(w.waiting, e.Path)
	default:
		return Event{}, false
	}
	if len(w.order) > 0 {
		w.signal() // for another goroutine in Next
	}
	return e, true
}

func (w *Watch) add(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, known := w.waiting[path]; known || w.resync {
		return
	}
	if len(w.order) == watchQueue {
		w.order, w.resync = nil, true
		clear(w.waiting)
	} else {
		w.order = append(w.order, path)
		w.waiting[path] = struct{}{}
	}
	w.signal()
}

func (w *Watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// event passes a watch event to its watch. An event for an unknown token is not
// an error: it was under way when the watch was closed.
func (c *Client) event(payload []byte) error {
	list, err := protocol.List(payload)
	if err != nil {
		return err
	}
	if len(list) < 2 {
		return fmt.Errorf("%w: a watch event without a token", ErrProtocol)
	}
	c.mu.Lock()
	w := c.watches[list[1]]
	c.mu.Unlock()
	if w != nil && (w.wanted == nil || w.wanted(list[0])) {
		w.add(list[0])
	}
	return nil
}
