// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// turn serialises the calls of one channel in order of arrival. sync.Mutex is
// neither FIFO nor can a waiter give up, and calls need both.
//
//	free ──enter──▶ taken ──enter──▶ watched
//	  ▲───leave──────┘  ▲──last waiter─┘ │
//	  ▲──────────leave, queue empty─────┘
//
// Between free and taken nothing else is touched. After close it stays
// watched.
type turn struct {
	state atomic.Uint32

	mu     sync.Mutex
	closed bool
	queue  []chan struct{} // closed when it is the waiter's turn, or at close
}

const (
	turnFree    = iota
	turnTaken   // and the queue is empty
	turnWatched // look at the queue under mu
)

// enter takes a place. A nil ticket means that it is the caller's turn now.
func (t *turn) enter() (ticket chan struct{}, err error) {
	if t.state.CompareAndSwap(turnFree, turnTaken) {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, errClosed
	}
	for !t.state.CompareAndSwap(turnTaken, turnWatched) && t.state.Load() != turnWatched {
		if t.state.CompareAndSwap(turnFree, turnTaken) {
			return nil, nil // the turn was freed just now
		}
	}
	ticket = make(chan struct{})
	t.queue = append(t.queue, ticket)
	return ticket, nil
}

// await blocks until it is the ticket's turn. On error it gives up the place.
func (t *turn) await(ctx context.Context, deadline time.Time, ticket chan struct{}) error {
	if ticket == nil {
		return nil
	}
	var over <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-ticket:
	case <-over:
		return t.giveUp(ticket, os.ErrDeadlineExceeded)
	case <-ctx.Done():
		return t.giveUp(ticket, ctx.Err())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errClosed
	}
	return nil
}

// giveUp leaves the queue, and says that the server knows nothing of the call.
func (t *turn) giveUp(ticket chan struct{}, why error) error {
	if !t.forget(ticket) {
		// The turn came at the same moment: pass it on.
		<-ticket
		t.leave()
	}
	return fmt.Errorf("not sent, because earlier calls or a session still use the channel: %w", timeoutOf(why))
}

func (t *turn) forget(ticket chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, q := range t.queue {
		if q == ticket {
			t.queue = append(t.queue[:i], t.queue[i+1:]...)
			return true
		}
	}
	return false
}

// leave passes the turn to the next in the queue.
func (t *turn) leave() {
	if t.state.CompareAndSwap(turnTaken, turnFree) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) > 0 {
		close(t.queue[0])
		t.queue = t.queue[1:]
		if len(t.queue) == 0 && !t.closed {
			t.state.Store(turnTaken)
		}
	} else if !t.closed {
		t.state.Store(turnFree)
	}
}

// close refuses new calls and ends waiting ones with os.ErrClosed. The call
// whose turn it is ends by itself.
func (t *turn) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.state.Store(turnWatched)
	for _, q := range t.queue {
		close(q)
	}
	t.queue = nil
}
