// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// further answers requests for channels that come on control channels, beside the calls:
// a call may take long.
func (l *Listener) further() {
	s := vlibcall.NewServer(controlListener{&l.control})
	s.Handle(controlLibrary, controlFunction, func(c *vlibcall.Call) error {
		a, err := l.offer(string(c.Input()), "")
		if err != nil {
			return err
		}
		return c.Reply([]byte(a.String()))
	})
	s.Serve(l.ctx) // an error: all that is left is to ask through xenstore
}

// controlListener is the transport.Listener of the control channels. It waits for events
// only: what is done for them is charged to no reservation.
type controlListener struct{ *inbox }

// Wait implements transport.Listener.
func (c controlListener) Wait(deadline time.Time) (transport.ServerEndpoint, error) {
	for {
		e, err := c.handed()
		if e == nil && err == nil {
			e, err = c.event(deadline)
		}
		switch {
		case errors.Is(err, evtchn.ErrInterrupted):
		case err != nil:
			return nil, waitError(err)
		case e != nil:
			return e, nil
		}
	}
}

// Close implements transport.Listener: the Listener has what it uses.
func (c controlListener) Close() error { return nil }
