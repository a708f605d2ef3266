// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"net"

	"github.com/vlibos/vlibos/vlibcall/transport/native/ledger"
)

// Accepted serves the one channel of a connected socket, the other half of the
// one that Conn dials. It owns the socket. If the channel is not made, Wait returns
// the reason: no other will come.
func Accepted(conn *net.UnixConn) (*Listener, error) {
	l, err := newListener()
	if err != nil {
		return nil, err
	}
	l.unpaid = fmt.Errorf("a socket pair: %w", ledger.ErrNone)
	l.work.Go(func() {
		if err := l.welcome(visitor{conn: conn}); err != nil {
			l.mu.Lock()
			l.never = fmt.Errorf("the channel was refused: %w", err)
			l.mu.Unlock()
			l.w.nudge()
		}
	})
	return l, nil
}
