// SPDX-License-Identifier: Apache-2.0

package xenstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/xenctl/xenstore/internal/protocol"
)

// Tx is a transaction in progress. It is valid within the function to which it
// is passed.
type Tx struct {
	ops
}

const (
	// transactionAttempts limits the retries. With pauses of up to
	// transactionPause between them, that is about a second.
	transactionAttempts = 64
	transactionPause    = 32 * time.Millisecond
)

// Transaction runs fn on a view of the store at one moment and then makes all
// its changes at once. If another client has changed what fn read or wrote, it
// runs fn again, up to 64 times; then the error is [ErrConflict]. So fn must
// have only effects that can be repeated. If fn returns an error, nothing is
// changed, and Transaction returns that error unchanged.
func (c *Client) Transaction(ctx context.Context, fn func(tx *Tx) error) error {
	for attempt := range transactionAttempts {
		err := c.attempt(ctx, fn)
		if !errors.Is(err, errAgain) {
			return err
		}
		if err := pause(ctx, attempt); err != nil {
			return opError("transaction", "", err)
		}
	}
	return opError("transaction", "", fmt.Errorf("%w: given up after %d attempts: %w", ErrConflict, transactionAttempts, unix.EAGAIN))
}

// errAgain distinguishes the commit's EAGAIN from one that fn returns.
var errAgain = errors.New("conflict")

func (c *Client) attempt(ctx context.Context, fn func(tx *Tx) error) error {
	payload, err := c.roundTrip(ctx, protocol.Message{Type: protocol.TransactionStart, Payload: protocol.Join("")}, func(late []byte) {
		if id, err := parseTransaction(late); err == nil {
			c.post(endTransaction(id, "F"))
		}
	})
	if err != nil {
		return opError("start a transaction", "", err)
	}
	id, err := parseTransaction(payload)
	if err != nil {
		return opError("start a transaction", "", err)
	}
	tx := &Tx{ops{client: c, tx: id, ended: new(atomic.Bool)}}
	over := false
	defer func() { // fn may panic
		tx.ended.Store(true)
		if !over {
			c.post(endTransaction(id, "F"))
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	_, err = c.roundTrip(ctx, endTransaction(id, "T"), nil)
	// With any answer from the daemon the transaction is over. Without an
	// answer it may be open; ending it again does no harm.
	over = err == nil || ctx.Err() == nil
	if errors.Is(err, unix.EAGAIN) {
		return errAgain
	}
	return opError("commit a transaction", "", err)
}

func endTransaction(id uint32, verdict string) protocol.Message {
	return protocol.Message{Type: protocol.TransactionEnd, Tx: id, Payload: protocol.Join(verdict)}
}

func parseTransaction(payload []byte) (uint32, error) {
	text, err := protocol.Text(payload)
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%w: transaction id %.32q", ErrProtocol, text)
	}
	return uint32(id), nil
}

// pause waits for a random time that grows with the attempts, so that clients
// that conflict do not do so again.
func pause(ctx context.Context, attempt int) error {
	limit := min(transactionPause, time.Millisecond<<min(attempt, 10))
	timer := time.NewTimer(rand.N(limit))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
