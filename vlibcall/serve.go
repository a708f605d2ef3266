// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

// names is "library NUL function".
type names []byte

func (n names) library() []byte  { return n[:max(bytes.IndexByte(n, 0), 0)] }
func (n names) function() []byte { return n[bytes.IndexByte(n, 0)+1:] }

// conn is the server's side of one channel.
type conn struct {
	server   *Server
	ep       transport.ServerEndpoint
	h        *transport.Header
	last     uint64 // id of the last request taken
	session  bool
	names    [2*MaxName + 1]byte // of this call, and of the session it opens
	namesLen int                 // 0 if they were malformed
	handler  Handler             // that the names stand for; nil: look it up
	changes  uint64              // Server.changes when it was looked up
	call     Call
}

func newConn(s *Server, ep transport.ServerEndpoint) (*conn, error) {
	h, err := transport.HeaderOf(ep.Header())
	if err != nil {
		return nil, err
	}
	return &conn{server: s, ep: ep, h: h}, nil
}

// notify signals the client, in one system call with the next wait if possible.
func (cn *conn) notify() {
	if cn.server.window(cn) == 0 {
		cn.ep.NotifyLate()
		return
	}
	cn.ep.Notify()
}

func (cn *conn) setWaiting(v uint32) {
	if cn.h.Reply.Waiting.Load() != v {
		cn.h.Reply.Waiting.Swap(v)
	}
}

// request takes a new request from the channel; nil if there is none.
func (cn *conn) request() *Call {
	id := cn.h.Request.ID.Load()
	if id == cn.last {
		return nil
	}
	cn.last = id
	c := &cn.call
	*c = Call{conn: cn, id: id, shape: requestShape(cn.h.Request.Shape.Load())}
	c.malformed = c.load()
	c.unpaid = cn.ep.Begin(id)
	return c
}

// Call is one request, on the server's side. It is valid until Done, for
// one goroutine.
type Call struct {
	conn      *conn
	id        uint64
	shape     requestShape
	malformed error
	unpaid    error // the reason if no reservation is charged
	input     []byte
	output    replyShape
	watch     *cancelWatch
}

// load checks the lengths and copies the names out.
func (c *Call) load() error {
	area := c.conn.h.Request.Inline[:]
	if c.shape.flags()&flagRequestInline == 0 {
		data, err := c.conn.ep.Data()
		if err != nil {
			return err
		}
		area = data
	}
	if c.shape.bytes() > len(area) {
		return &StatusError{Status: StatusBadRequest, Detail: fmt.Sprintf("%d bytes where %d fit", c.shape.bytes(), len(area))}
	}
	n := c.shape.names()
	c.input = area[c.shape.inputOffset():c.shape.bytes():c.shape.bytes()]
	if n == 0 {
		if !c.conn.session {
			return &StatusError{Status: StatusBadRequest, Detail: "no name and no open session"}
		}
		return nil
	}
	if c.shape.flags()&flagSession == 0 {
		c.conn.session = false // its client ended it by calling another function
	}
	if string(area[:n]) == string(c.conn.names[:c.conn.namesLen]) {
		return nil // the copy is right, and so is its handler
	}
	c.conn.handler = nil
	c.conn.namesLen = copy(c.conn.names[:], area[:n])
	// Searched in the copy: the channel's contents may change.
	key := c.conn.names[:n]
	if bytes.IndexByte(key, 0) != c.shape.library() || bytes.LastIndexByte(key, 0) != c.shape.library() {
		c.conn.namesLen = 0
		return &StatusError{Status: StatusBadRequest, Detail: "not one NUL, between the names"}
	}
	return nil
}

// Peer is the calling process; ok is false if the transport does not know it.
func (c *Call) Peer() (p transport.Peer, ok bool) { return c.conn.ep.Peer() }

// ChannelSize is the size of the call's channel, including the header, in bytes.
func (c *Call) ChannelSize() (int, error) {
	data, err := c.conn.ep.Data()
	return transport.HeaderSize + len(data), err
}

// Library that the client named.
func (c *Call) Library() string {
	return string(names(c.conn.names[:c.conn.namesLen]).library())
}

// Function that the client named.
func (c *Call) Function() string {
	return string(names(c.conn.names[:c.conn.namesLen]).function())
}

// Input is the client's data, in the channel: the client can change it while it
// is read. A handler that checks it before use must copy it.
func (c *Call) Input() []byte { return c.input }

// Room is the largest output that this call can carry, in bytes.
func (c *Call) Room() int {
	data, err := c.conn.ep.Data()
	if err != nil {
		return transport.InlineSize
	}
	return max(transport.InlineSize, len(data)-c.shape.outputOffset())
}

// Reserve makes the output n bytes long and returns it, in the channel, with
// its previous contents. ErrTooLarge: it does not fit.
func (c *Call) Reserve(n int) ([]byte, error) {
	if n <= transport.InlineSize {
		c.output = packReply(n, StatusOK, flagReplyInline)
		return c.conn.h.Reply.Inline[:n:n], nil
	}
	data, err := c.conn.ep.Data()
	if err != nil {
		return nil, err
	}
	at := min(c.shape.outputOffset(), len(data))
	if n > len(data)-at {
		return nil, &StatusError{Status: StatusTooLarge, Detail: fmt.Sprintf(
			"output of %d bytes where %d fit; open the channel with at least %d",
			n, len(data)-at, (transport.HeaderSize+at+n+transport.HeaderSize-1)/transport.HeaderSize*transport.HeaderSize)}
	}
	c.output = packReply(n, StatusOK, 0)
	return data[at : at+n : at+n], nil
}

// Reply makes the output a copy of b.
func (c *Call) Reply(b []byte) error {
	out, err := c.Reserve(len(b))
	if err != nil {
		return err
	}
	copy(out, b[:copyFar(out, b)])
	return nil
}

// Cancelled reports whether the client no longer waits for this call, or is gone.
// It is cheap enough to poll.
func (c *Call) Cancelled() bool {
	return c.conn.h.Cancel.Load() == c.id || c.conn.ep.Gone() != nil
}

// Timeout is the longest time that the client allows for the call; 0 if it gave
// none.
func (c *Call) Timeout() time.Duration {
	return time.Duration(min(c.conn.h.Request.Timeout.Load(), 1<<63-1))
}

// Context is done when the client cancels, is gone, or its time is over. It
// ends with the call.
func (c *Call) Context(parent context.Context) context.Context {
	if c.watch == nil {
		c.watch = watchCancel(parent, c)
	}
	return c.watch.ctx
}

// Done publishes the answer, or err, and signals the client if it sleeps.
func (c *Call) Done(err error) {
	if c.watch != nil {
		c.watch.stop()
	}
	c.conn.ep.End()
	shape := c.output
	if err != nil {
		status, detail := StatusOf(err)
		n := copy(c.conn.h.Reply.Inline[:], detail)
		shape = packReply(n, status, flagReplyInline)
	}
	r := &c.conn.h.Reply
	plainStore(&r.Shape, uint64(shape))
	r.ID.Swap(c.id)
	if c.conn.h.Request.Waiting.Load() != 0 {
		// A client that cannot be signalled is gone, and its channel is dropped
		// when the transport reports that.
		c.conn.notify()
	}
	c.conn.server.recent = c.conn
}
