// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// call is one request on its way:
//
//	queued ──send──▶ sent ──answer──▶ answered
//	  │                │
//	ctx ends         ctx ends
//	  ▼                ▼
//	forgotten        abandoned ──answer──▶ late is run
//
// Client.mu guards all fields but result.
type call struct {
	request   protocol.Message
	sent      bool
	abandoned bool
	late      func(payload []byte) // undoes an abandoned call; may be nil
	result    chan outcome         // has room for the one outcome
}

// outcome is an answer: of the request's own type, or an error.
type outcome struct {
	kind    protocol.Type
	payload []byte
	err     error
}

// roundTrip sends a request and waits for its answer. If ctx ends first and the
// daemon still executes the request, late is run on the receiving goroutine
// with the answer; it must not block.
func (c *Client) roundTrip(ctx context.Context, request protocol.Message, late func([]byte)) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cl := &call{request: request, late: late, result: make(chan outcome, 1)}
	if err := c.begin(cl); err != nil {
		return nil, err
	}
	select {
	case out := <-cl.result:
		return out.payload, out.err
	case <-ctx.Done():
	case <-c.done:
	}
	if out, ok := c.abandon(cl); ok {
		return out.payload, out.err
	}
	if err := c.reason(); err != nil {
		return nil, err
	}
	return nil, ctx.Err()
}

// post sends a request whose answer is ignored.
func (c *Client) post(request protocol.Message) {
	// On a broken connection nothing needs to be undone, and what is too long undoes nothing.
	_ = c.begin(&call{request: request, abandoned: true, result: make(chan outcome, 1)})
}

// begin sends a request if no other is under way, else the sender does. Another
// goroutine is often another thread, to which to switch costs more than the request.
func (c *Client) begin(cl *call) error {
	if n := len(cl.request.Payload); n > protocol.PayloadMax {
		return fmt.Errorf("a message of %d bytes, at most %d are allowed: %w", n, protocol.PayloadMax, unix.E2BIG)
	}
	first, err := c.enqueue(cl)
	if !first || err != nil {
		return err
	}
	// The daemon has answered everything before it, so this does not block; see waits.
	if err := c.transmit(cl); err != nil {
		c.broken(err)
		return nil // the end of the connection is the call's outcome
	}
	c.transmitted()
	return nil
}

// enqueue takes a request. If it is the first one, its caller sends it.
func (c *Client) enqueue(cl *call) (first bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false, c.err
	}
	for used := true; used; _, used = c.pending[c.lastID] {
		c.lastID++
	}
	cl.request.Request = c.lastID
	c.pending[c.lastID] = cl
	if first = len(c.pending) == 1 && !c.sending && !c.waits(cl.request.Type); first {
		c.sending, cl.sent = true, true
		c.inFlight++
		return true, nil
	}
	c.queue = append(c.queue, cl)
	c.wakeSender()
	return false, nil
}

// waits reports whether a write of such a request lasts until xenstored has answered: the
// device registers and ends watches itself (xenbus_write_watch, Linux 6.1). Neither a
// caller with a context nor the goroutine that receives may wait for it.
func (c *Client) waits(kind protocol.Type) bool {
	return c.device && (kind == protocol.Watch || kind == protocol.Unwatch)
}

// transmitted lets the next request be sent.
func (c *Client) transmitted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sending = false
	if len(c.queue) > 0 {
		c.wakeSender()
	}
}

func (c *Client) wakeSender() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// dequeue returns the next request to send, nil if none may be sent now.
func (c *Client) dequeue() *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || len(c.queue) == 0 || c.sending || c.device && c.inFlight > 0 {
		return nil
	}
	c.sending = true
	c.inFlight++
	next := c.queue[0]
	c.queue = slices.Delete(c.queue, 0, 1)
	next.sent = true
	return next
}

// abandon gives up a call. If it was answered just now, it returns the answer.
func (c *Client) abandon(cl *call) (outcome, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case out := <-cl.result:
		return out, true
	default:
	}
	if cl.sent {
		cl.abandoned = true
		return outcome{}, false
	}
	delete(c.pending, cl.request.Request)
	if i := slices.Index(c.queue, cl); i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
	}
	return outcome{}, false
}

// answer passes an outcome to its call. An answer without a request, or of
// another type, means that the two sides disagree about the protocol.
func (c *Client) answer(id uint32, out outcome) error {
	c.mu.Lock()
	cl := c.pending[id]
	if cl == nil || !cl.sent || out.err == nil && out.kind != cl.request.Type {
		c.mu.Unlock()
		return fmt.Errorf("%w: answer of type %d to request %d, which is not waiting for it", ErrProtocol, out.kind, id)
	}
	delete(c.pending, id)
	c.inFlight--
	if len(c.queue) > 0 {
		c.wakeSender()
	}
	cl.result <- out
	late := cl.late
	if !cl.abandoned || out.err != nil {
		late = nil
	}
	c.mu.Unlock()
	if late != nil {
		late(out.payload)
	}
	return nil
}

// checkPath refuses paths that would change the meaning of a message; the
// daemon checks all other rules.
func checkPath(path string) error {
	if path == "" || strings.IndexByte(path, 0) >= 0 {
		return fmt.Errorf("path %q: %w", path, unix.EINVAL)
	}
	return nil
}
