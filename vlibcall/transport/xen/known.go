// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// server is what is known of a server until its directory in xenstore changes.
type server struct {
	greeting greeting

	asked   atomic.Bool // for a channel
	open    sync.Once   // tries to open control
	control atomic.Pointer[vlibcall.Channel]
}

// controlTimeout limits the opening of a control channel, and each request on it, before
// xenstore is used again.
const controlTimeout = time.Second

// greet compares the server's revision and limits with what is asked for.
func (d *Domain) greet(ctx context.Context, o transport.Offer) (*server, error) {
	s, err := d.server(ctx, o.Port)
	if err != nil {
		return nil, err
	}
	g := s.greeting
	if g.revision != transport.Revision {
		return nil, fmt.Errorf("%w: the server of domain %d speaks channel revision %d, this client %d: update the older one",
			vlibcall.ErrProtocol, d.id, g.revision, transport.Revision)
	}
	if uint64(o.Size) > g.maxSize {
		return nil, fmt.Errorf("%w: channel of %d bytes, the server of domain %d grants at most %d",
			vlibcall.ErrTooLarge, o.Size, d.id, g.maxSize)
	}
	return s, nil
}

// server reads a server's greeting, unless it is known. A watch forgets it.
func (d *Domain) server(ctx context.Context, port transport.Port) (*server, error) {
	d.mu.Lock()
	s := d.servers[port]
	news := d.restarts
	d.mu.Unlock()
	if s != nil {
		return s, nil
	}
	node := home(d.id) + serverDir(port) + "/server"
	text, err := d.store.Read(ctx, node)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: domain %d has no server on port %d (no node %s)", vlibcall.ErrGone, d.id, port, node)
	}
	if err != nil {
		return nil, err
	}
	g, err := parseGreeting(string(text))
	if err != nil {
		return nil, fmt.Errorf("%w: node %s: %w", vlibcall.ErrProtocol, node, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s = d.servers[port]; s == nil {
		s = &server{greeting: g}
		if d.restarts == news { // else it may be another server's by now
			d.servers[port] = s
		}
	}
	return s, nil
}

// forgetServer hears that a server's directory was removed or made.
func (d *Domain) forgetServer(port transport.Port) {
	d.mu.Lock()
	d.restarts++
	s := d.servers[port]
	delete(d.servers, port)
	d.mu.Unlock()
	if s != nil {
		s.drop()
	}
}

// drop ends the control channel. Requests that are under way on it go through xenstore.
func (s *server) drop() {
	if c := s.control.Swap(nil); c != nil {
		c.Close()
	}
}

// further asks for a channel on the server's control channel. A nil answer without an
// error means to ask through xenstore.
func (d *Domain) further(ctx context.Context, s *server, r request, port transport.Port) (*answer, error) {
	c := d.control(s, port)
	if c == nil {
		return nil, nil
	}
	if unanswered, _ := c.Settle(); unanswered {
		return nil, nil // a Dial that gave up still waits there: none waits behind it
	}
	limited, cancel := context.WithTimeout(ctx, controlTimeout)
	defer cancel()
	text, err := c.Call(limited, controlLibrary, controlFunction, []byte(r.String()), nil)
	if refused := (*vlibcall.StatusError)(nil); errors.As(err, &refused) {
		return nil, d.refused(received(refused.Status, refused.Detail))
	}
	if err == nil {
		var a answer
		if a, err = parseAnswer(string(text)); err == nil {
			return &a, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // the Dial's end, which says nothing of the channel
	}
	s.drop()
	return nil, nil
}

// control is the server's control channel; nil: there is none. The second Dial opens it,
// since most programs need one channel. If that fails, it is not tried again.
func (d *Domain) control(s *server, port transport.Port) *vlibcall.Channel {
	if !s.asked.Swap(true) {
		return nil
	}
	s.open.Do(func() {
		ctx, cancel := context.WithTimeout(d.ctx, controlTimeout)
		defer cancel()
		c, err := vlibcall.Open(ctx, controlDialer{d}, vlibcall.Options{Port: port, Size: 2 * transport.HeaderSize})
		if err != nil {
			return
		}
		s.control.Store(c)
		d.mu.Lock()
		forgotten := d.servers[port] != s
		d.mu.Unlock()
		if forgotten {
			s.drop()
		}
	})
	return s.control.Load()
}

// controlDialer opens control channels.
type controlDialer struct{ d *Domain }

// Dial implements transport.Dialer.
func (c controlDialer) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	e := c.d.endpoint(o)
	e.request.control = true
	if err := e.open(ctx, nil); err != nil {
		return nil, err
	}
	return e, nil
}
