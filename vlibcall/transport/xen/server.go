// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/grant"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// attachTimeout is how long a channel waits at least for its client to map it. A client
// that dies between request and mapping leaves no other sign.
const attachTimeout = 30 * time.Second

// serverEndpoint is the guest's side of a channel.
type serverEndpoint struct {
	*inbox
	id    channelID
	node  string // in xenstore; empty: it was asked for on a control channel
	pages *grant.Pages
	port  evtchn.Port
	made  time.Time
	left  atomic.Bool // the client withdrew its request, or never came

	withdrawn atomic.Bool // its node is gone

	mu   sync.Mutex // between Close and waits
	done bool
}

func (e *serverEndpoint) Header() []byte { return e.pages.Bytes()[:pageSize:pageSize] }

func (e *serverEndpoint) Data() ([]byte, error) { return e.pages.Bytes()[pageSize:], nil }

func (e *serverEndpoint) Notify() error { return e.events.Notify(e.port) }

func (e *serverEndpoint) Gone() error {
	if e.left.Load() || transport.ClientLeft(e.Header()) {
		return fmt.Errorf("%w: the client of channel %v has left", vlibcall.ErrGone, e.id)
	}
	return nil
}

// Peer implements transport.ServerEndpoint: Dom0 does not report which process
// calls.
func (e *serverEndpoint) Peer() (p transport.Peer, ok bool) { return p, false }

// leave makes the server drop the channel.
func (e *serverEndpoint) leave() {
	e.left.Store(true)
	e.pass(e)
}

// expire is leave for clients that never came. It reports whether it waits for others.
func (l *Listener) expire() (more bool) {
	l.mu.Lock()
	es := slices.Collect(maps.Values(l.byID))
	l.mu.Unlock()
	for _, e := range es {
		switch {
		case !e.waits():
		case time.Since(e.made) < attachTimeout:
			more = true
		default:
			e.leave()
		}
	}
	return more
}

// waits reports whether the client has not come yet.
func (e *serverEndpoint) waits() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.done && !transport.ClientCame(e.Header())
}

func (e *serverEndpoint) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done {
		return nil
	}
	e.done = true
	restored := e.l.forget(e)
	// Pages first: freeing them signals the client through the port.
	err := e.pages.Free()
	if !restored {
		err = errors.Join(err, e.events.Unbind(e.port))
	}
	return err
}
