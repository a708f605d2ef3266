// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// Client is a connection to xenstored. Its methods are safe for concurrent use.
// Transactions have all of them but Transaction, Watch and Close.
type Client struct {
	ops

	conn io.ReadWriteCloser

	// device says that the connection is the kernel's xenbus device, which
	// differs from a socket in three ways. It refuses a single bad request by an
	// error of write and continues, while on a socket a failed write ends the
	// connection. It waits within write for some answers; see waits. And it must
	// not get a request before the last one is answered: it has one buffer for
	// requests per open file, from which it sends to the daemon some time after
	// write returned (xenbus_dev_request_and_reply, seen in Linux 6.1: of 16
	// concurrent writes 12 were lost, and all were acknowledged).
	device bool

	done     chan struct{} // closed when the connection ends
	wake     chan struct{} // the queue has a request
	routines sync.WaitGroup

	mu       sync.Mutex
	err      error // the reason for the end of the connection; nil before
	lastID   uint32
	pending  map[uint32]*call // by request id: queued, or sent and not answered
	queue    []*call          // not yet sent
	inFlight int              // sent and not answered
	sending  bool             // a goroutine writes a request, and has buffer
	watches  map[string]*Watch
	tokens   uint64

	buffer []byte // of the goroutine that sends
}

func newClient(conn io.ReadWriteCloser, device bool) *Client {
	c := &Client{
		conn:    conn,
		device:  device,
		done:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		pending: map[uint32]*call{},
		watches: map[string]*Watch{},
	}
	c.ops = ops{client: c}
	c.routines.Go(c.send)
	c.routines.Go(c.receive)
	return c
}

// Close ends the connection. Every request and every wait for an event returns
// os.ErrClosed; the daemon drops watches and transactions. Closing again does
// nothing.
func (c *Client) Close() error {
	c.end(os.ErrClosed)
	c.routines.Wait()
	return nil
}

// end stops the connection; the first reason is kept.
func (c *Client) end(reason error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = reason
	}
	c.mu.Unlock()
	if first {
		close(c.done)
		_ = c.conn.Close() // nothing more is sent or received
	}
}

// broken ends the connection because of a fault.
func (c *Client) broken(cause error) {
	if errors.Is(cause, io.EOF) {
		cause = fmt.Errorf("closed by xenstored: %w", cause)
	}
	c.end(fmt.Errorf("%w: %w", ErrBroken, cause))
}

func (c *Client) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// send writes the queued requests, one at a time.
func (c *Client) send() {
	for {
		next := c.dequeue()
		if next == nil {
			select {
			case <-c.wake:
				continue
			case <-c.done:
				return
			}
		}
		if err := c.transmit(next); err != nil {
			c.broken(err)
			return
		}
		c.transmitted()
	}
}

// transmit writes a request, for the goroutine that sends.
func (c *Client) transmit(cl *call) error {
	c.buffer = protocol.Append(c.buffer[:0], cl.request)
	_, err := c.conn.Write(c.buffer)
	var errno unix.Errno
	if c.device && errors.As(err, &errno) {
		err = c.answer(cl.request.Request, outcome{err: errno})
	}
	return err
}

// receive takes messages from the daemon, and never waits for anything else.
func (c *Client) receive() {
	r := bufio.NewReaderSize(c.conn, protocol.HeaderSize+protocol.PayloadMax)
	for {
		m, err := protocol.Receive(r)
		if err == nil {
			err = c.dispatch(m)
		}
		if err != nil {
			c.broken(err)
			return
		}
	}
}

func (c *Client) dispatch(m protocol.Message) error {
	switch m.Type {
	case protocol.WatchEvent:
		return c.event(m.Payload)
	case protocol.Error:
		return c.answer(m.Request, outcome{err: refusal(m.Payload)})
	default:
		return c.answer(m.Request, outcome{kind: m.Type, payload: m.Payload})
	}
}
