// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// inbox is what one goroutine of a server waits for: events of its channels, and those
// of its channels that have ended without one.
type inbox struct {
	l      *Listener
	events *evtchn.Handle

	// Under l.mu.
	over        []*serverEndpoint // their clients left
	interrupted bool
}

// event waits for an event of a channel.
func (b *inbox) event(deadline time.Time) (*serverEndpoint, error) {
	port, err := b.events.WaitUntil(deadline)
	if err != nil {
		return nil, err
	}
	e := b.l.at(port)
	if e == nil {
		return nil, nil
	}
	return e, b.events.Unmask(port)
}

// handed returns what does not arrive as an event: an interrupt, or a channel
// that has ended according to xenstore.
func (b *inbox) handed() (*serverEndpoint, error) {
	b.l.mu.Lock()
	defer b.l.mu.Unlock()
	if b.l.restored {
		return nil, transport.ErrRestored
	}
	if b.interrupted {
		b.interrupted = false
		return nil, transport.ErrInterrupted
	}
	if len(b.over) > 0 {
		e := b.over[0]
		b.over = b.over[1:]
		return e, nil
	}
	return nil, nil
}

// pass gives a channel to the goroutine.
func (b *inbox) pass(e *serverEndpoint) {
	b.l.mu.Lock()
	b.over = append(b.over, e)
	b.l.mu.Unlock()
	b.events.Interrupt()
}

// Interrupt is that of transport.Listener.
func (b *inbox) Interrupt() {
	b.l.mu.Lock()
	b.interrupted = true
	b.l.mu.Unlock()
	b.events.Interrupt()
}
