// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// billed is a server's endpoint whose calls a reservation pays for. It
// implements vlibcall.Biller by the domain's ledger.
type billed struct {
	*endpoint
	listener    *Listener
	reservation uint32
}

// keepLedger makes the domain's, if there can be one. What is called through a
// guarded listener is other domains', which have theirs.
func (l *Listener) keepLedger(dir string) {
	if l.guard != nil {
		l.unpaid = errors.New("this transport has none: name none, who pays is for whom it leads to")
		return
	}
	var err error
	if l.ledger, err = ledger.Keep(dir); err != nil {
		l.unpaid = err
	}
}

// bill makes the bill of a channel, or says why the reservation cannot pay.
func (l *Listener) bill(reservation uint64) (*billed, error) {
	id := uint32(min(reservation, ledger.MaxReservation))
	err := l.unpaid
	if l.ledger != nil {
		err = l.ledger.May(id)
	}
	if err != nil {
		return nil, denied(err)
	}
	return &billed{listener: l, reservation: id}, nil
}

// public is what the server gets.
func (e *endpoint) public() vlibcall.Endpoint {
	if e.bill != nil {
		return e.bill
	}
	return e
}

func denied(err error) error {
	return &vlibcall.StatusError{Status: vlibcall.StatusDenied, Detail: err.Error()}
}

// Bill implements vlibcall.Biller.
func (b *billed) Bill(uint64) error {
	if b.gone.Load() || vlibcall.GivenUp(b.Header()) {
		return denied(fmt.Errorf("reservation %d: its caller has given up", b.reservation))
	}
	if err := b.listener.ledger.Begin(b, b.reservation); err != nil {
		return denied(err)
	}
	if b.gone.Load() || vlibcall.GivenUp(b.Header()) {
		b.Billed() // what was heard may have been before
	}
	return nil
}

// Billed implements vlibcall.Biller.
func (b *billed) Billed() { b.listener.ledger.End(b) }

// heard is called for each word from the client, which says that it has given a
// call up, and when it is gone. The word may come when the next call is under
// way.
func (b *billed) heard() {
	if b.gone.Load() || vlibcall.GivenUp(b.Header()) {
		b.Billed()
	}
}
