// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// payment implements transport.Payment for a client. The server keeps the
// account; the client reports when it gives up, and reads the cost of a call.
type payment struct {
	endpoint    *endpoint
	reservation uint32
	ledger      *ledger.Reader
	was, last   ledger.Slot // before the last call, and after it
}

// pay makes a reservation be charged for the channel's calls.
func (e *endpoint) pay(dir string, reservation uint32) error {
	r, err := ledger.OpenReader(dir)
	if err != nil {
		return fmt.Errorf("%w: %d: %w", vlibcall.ErrReservation, reservation, err)
	}
	e.payment = &payment{endpoint: e, reservation: reservation, ledger: r}
	e.payment.last, err = r.Read(reservation)
	return err
}

// Payment implements transport.ClientEndpoint.
func (e *endpoint) Payment() transport.Payment {
	if e.payment == nil {
		return nil
	}
	return e.payment
}

// Begin implements transport.Payment.
func (p *payment) Begin(uint64, time.Duration) error { return p.endpoint.Notify() }

// Urge implements transport.Payment.
func (p *payment) Urge(uint64, time.Duration) error { return p.endpoint.Notify() }

// End implements transport.Payment.
func (p *payment) End(uint64) (err error) {
	p.was = p.last
	p.last, err = p.ledger.Read(p.reservation)
	return err
}

// sayTimeout limits the wait for a server that does not read the bytes.
const sayTimeout = 100 * time.Millisecond

// GiveUp implements transport.Payment.
func (p *payment) GiveUp() error {
	err := p.endpoint.conn.SetWriteDeadline(time.Now().Add(sayTimeout))
	if err == nil {
		_, err = p.endpoint.conn.Write([]byte{1})
	}
	return errors.Join(err, p.End(0))
}

// Cost implements transport.Payment. Use that the master has not examined yet
// counts as foreground.
func (p *payment) Cost(uint64) (transport.Cost, error) {
	back := max(p.last.Background-p.was.Background, 0)
	return transport.Cost{
		Foreground:  max(p.last.Used-p.was.Used-back, 0),
		Background:  back,
		Deschedules: p.last.Deschedules - min(p.was.Deschedules, p.last.Deschedules),
	}, nil
}
