// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// A server writes into its domain's ledger which reservation pays for the call
// under way, if the channel's client named one.

// openLedger makes the domain's ledger, if it can have one. A guarded listener
// passes calls on to other domains, which have ledgers of their own.
func (l *Listener) openLedger(dir string) {
	if l.guard != nil {
		l.unpaid = errors.New("this transport has none: name none, the domain that it leads to decides which reservation pays")
		return
	}
	var err error
	if l.ledger, err = ledger.Keep(dir); err != nil {
		l.unpaid = err
	}
}

// mayPay returns the reservation that a client named, or why it cannot be
// charged.
func (l *Listener) mayPay(reservation uint64) (uint32, error) {
	id := uint32(min(reservation, ledger.MaxReservation))
	err := l.unpaid
	if l.ledger != nil {
		err = l.ledger.May(id)
	}
	if err != nil {
		return 0, denied(err)
	}
	return id, nil
}

func denied(err error) error {
	return &vlibcall.StatusError{Status: vlibcall.StatusDenied, Detail: err.Error()}
}

// Begin implements transport.ServerEndpoint.
func (e *endpoint) Begin(request uint64) error {
	if e.reservation == 0 {
		return nil
	}
	if e.abandoned() {
		return denied(fmt.Errorf("reservation %d: its caller has given up", e.reservation))
	}
	if err := e.ledger.Begin(e, request, e.reservation); err != nil {
		return denied(err)
	}
	if e.abandoned() {
		e.ledger.Drop(e) // heard may have run before Begin
	}
	return nil
}

// End implements transport.ServerEndpoint.
func (e *endpoint) End(request uint64) {
	if e.reservation != 0 {
		e.ledger.End(e, request)
	}
}

// abandoned reports whether the client no longer waits for a call.
func (e *endpoint) abandoned() bool {
	return e.gone.Load() || transport.AllGivenUp(e.Header())
}

// heard is called for each byte from the client, by which it reports that it
// has given up a call, and when the client is gone. The byte may arrive when
// the next call is under way.
func (e *endpoint) heard() {
	if e.reservation != 0 && e.abandoned() {
		e.ledger.Drop(e)
	}
}
