// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"fmt"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// payer is a client's endpoint whose calls a reservation pays for. The server
// bills them; here is what remains to be said. It implements vlibcall.Payer.
type payer struct {
	*endpoint
	ledger    *ledger.Reader
	was, last ledger.Slot // before the last call, and after it
}

var _ vlibcall.Payer = (*payer)(nil)

// payerOf takes over ep.
func payerOf(ep *endpoint, dir string, reservation uint32) (*payer, error) {
	r, err := ledger.OpenReader(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %d: %w", vlibcall.ErrReservation, reservation, err), ep.Close())
	}
	p := &payer{endpoint: ep, ledger: r}
	if p.last, err = r.Read(reservation); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Begin implements vlibcall.Payer.
func (p *payer) Begin(uint32, uint64, time.Duration) error { return p.Notify() }

// Urge implements vlibcall.Payer.
func (p *payer) Urge(uint32, uint64, time.Duration) error { return p.Notify() }

// End implements vlibcall.Payer.
func (p *payer) End(reservation uint32, _ uint64) (err error) {
	p.was = p.last
	p.last, err = p.ledger.Read(reservation)
	return err
}

// sayTimeout bounds the wait for a server that does not hear.
const sayTimeout = 100 * time.Millisecond

// GiveUp implements vlibcall.Payer.
func (p *payer) GiveUp(reservation uint32, request uint64) error {
	err := p.conn.SetWriteDeadline(time.Now().Add(sayTimeout))
	if err == nil {
		_, err = p.conn.Write([]byte{1})
	}
	return errors.Join(err, p.End(reservation, request))
}

// Cost implements vlibcall.Payer. What the master has not looked at yet counts
// as foreground.
func (p *payer) Cost(uint32, uint64) (vlibcall.Cost, error) {
	back := max(p.last.Background-p.was.Background, 0)
	return vlibcall.Cost{
		Foreground:  max(p.last.Used-p.was.Used-back, 0),
		Background:  back,
		Deschedules: p.last.Deschedules - min(p.was.Deschedules, p.last.Deschedules),
	}, nil
}

// Close frees the endpoint.
func (p *payer) Close() error {
	return errors.Join(p.endpoint.Close(), p.ledger.Close())
}
