// SPDX-License-Identifier: Apache-2.0

package xenstoretest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// Request is a request as an interceptor sees it.
type Request struct {
	Type, ID, Tx uint32
	Payload      []byte
}

// Interceptor is called before the daemon handles a request. It may write raw
// bytes to the client, wait, or close the connection. If it returns true the
// daemon ignores the request. It runs on the connection's goroutine: while it
// waits, that client's further requests wait, as in a real daemon.
type Interceptor func(conn net.Conn, request Request) bool

// Server is a running daemon.
type Server struct {
	// Path is its socket, for XENSTORED_PATH or xenstore.OpenPath.
	Path string

	dir      string
	listener net.Listener
	routines sync.WaitGroup

	mu        sync.Mutex
	conns     map[*connection]struct{}
	closed    bool
	intercept Interceptor
	store     *store
	requests  int
	accepted  int
}

// Start runs a daemon with an empty store. The caller closes it.
func Start() (*Server, error) {
	dir, err := os.MkdirTemp("", "xenstoretest")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &Server{
		Path:     path,
		dir:      dir,
		listener: listener,
		conns:    map[*connection]struct{}{},
		store:    newStore(),
	}
	s.routines.Go(s.accept)
	return s, nil
}

// Intercept sets the interceptor; nil removes it.
func (s *Server) Intercept(f Interceptor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// Requests returns how many requests have arrived.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// Connections returns how many clients have connected.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Open returns the transactions and watches that clients have open at the
// moment.
func (s *Server) Open() (transactions, watches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		transactions += len(c.transactions)
		watches += len(c.watches)
	}
	return transactions, watches
}

// Close disconnects all clients and waits for the daemon's goroutines. Closing
// again does nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	err := s.listener.Close()
	for c := range s.conns {
		_ = c.conn.Close()
	}
	s.mu.Unlock()
	s.routines.Wait()
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		c := &connection{
			server:       s,
			conn:         conn,
			transactions: map[uint32]*transaction{},
		}
		s.mu.Lock()
		if s.closed {
			_ = conn.Close()
		}
		s.conns[c] = struct{}{}
		s.accepted++
		s.mu.Unlock()
		s.routines.Go(c.serve)
	}
}

// connection is one client.
type connection struct {
	server *Server
	conn   net.Conn

	// write separates answers from events of other clients' changes.
	write sync.Mutex

	// Server.mu guards the fields below.
	transactions map[uint32]*transaction
	lastTx       uint32
	watches      []watch
}

func (c *connection) serve() {
	defer func() {
		_ = c.conn.Close()
		c.server.mu.Lock()
		delete(c.server.conns, c)
		c.server.mu.Unlock()
	}()
	for {
		m, err := protocol.Receive(c.conn)
		if err != nil {
			return
		}
		c.server.mu.Lock()
		c.server.requests++
		intercept := c.server.intercept
		c.server.mu.Unlock()
		if intercept != nil && intercept(c.conn, Request{uint32(m.Type), m.Request, m.Tx, m.Payload}) {
			continue
		}
		c.handle(m)
	}
}

// handle answers one request and then sends the events that it caused, so that
// the client that caused them has its answer first.
func (c *connection) handle(m protocol.Message) {
	c.server.mu.Lock()
	payload, changed, err := c.do(m)
	answer := protocol.Message{Type: m.Type, Request: m.Request, Tx: m.Tx, Payload: payload}
	if err == nil && len(payload) > protocol.PayloadMax {
		err = errTooBig
	}
	if err != nil {
		answer.Type, answer.Payload, changed = protocol.Error, protocol.Join(string(err.(refusal))), nil
	}
	events := c.server.events(changed)
	if err == nil && m.Type == protocol.Watch {
		added := c.watches[len(c.watches)-1]
		events = append(events, event{c, added.path, added.token})
	}
	c.server.mu.Unlock()

	c.send(answer)
	for _, e := range events {
		e.to.send(protocol.Message{Type: protocol.WatchEvent, Payload: protocol.Join(e.path, e.token)})
	}
}

// send ignores errors: the reader notices a closed client.
func (c *connection) send(m protocol.Message) {
	c.write.Lock()
	defer c.write.Unlock()
	_, _ = c.conn.Write(protocol.Append(nil, m))
}
