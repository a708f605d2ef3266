// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// One goroutine at a time leads: it alone uses the channel's memory and waits for
// its event, for itself and for the others, which follow. A leader whose own
// requests have ended makes one of them the leader. So a call that is alone on its
// channel takes the turn and leaves it, and nothing else is touched:
//
//	free ──take──▶ led ──enter──▶ watched
//	  ▲───leave─────┘ ▲───attend────┘ │
//	  ▲─────────────leave─────────────┘
//
// Watched means that the leader must look at the followers. After close it stays
// watched.
type turn struct {
	state atomic.Uint32

	mu     sync.Mutex
	closed bool
	queue  []*party      // whose requests are not all asked, in order
	quiet  chan struct{} // closed once nothing leads any more, after close
}

const (
	turnFree = iota
	turnLed
	turnWatched
)

// take makes the caller the leader, if there is none.
func (t *turn) take() bool { return t.state.CompareAndSwap(turnFree, turnLed) }

// enter takes a place for p in the queue, or makes its goroutine the leader.
func (c *Channel) enter(p *party) (follows bool, err error) {
	t := &c.turn
	if t.take() {
		return false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false, errClosed
	}
	for !t.state.CompareAndSwap(turnLed, turnWatched) && t.state.Load() != turnWatched {
		if t.take() { // it was freed just now
			return false, nil
		}
	}
	p.wake = make(chan bool, 1)
	t.queue = append(t.queue, p)
	if c.mask > 0 {
		c.ep.Interrupt() // the leader can ask for it at once
	}
	return true, nil
}

// follow waits until the requests of p have ended, and leads when it is its turn.
func (c *Channel) follow(p *party) {
	var over <-chan time.Time
	if !p.deadline.IsZero() {
		timer := time.NewTimer(time.Until(p.deadline))
		defer timer.Stop()
		over = timer.C
	}
	var ended <-chan struct{}
	if p.session != nil {
		ended = p.session.done
	}
	var lead bool
	var why error
	select {
	case lead = <-p.wake:
	case <-over:
		why = timeoutOf(os.ErrDeadlineExceeded)
	case <-p.ctx.Done():
		why = timeoutOf(p.ctx.Err())
	case <-ended:
		why = errClosed
	}
	if why != nil {
		if c.abandon(p, why) {
			return
		}
		lead = <-p.wake // at the same moment
	}
	if lead {
		c.lead(p)
		c.leave()
	}
}

// abandon ends a follower early. It does nothing if p has ended, or leads.
func (c *Channel) abandon(p *party, why error) bool {
	t := &c.turn
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.woken {
		return false
	}
	if p.asked == 0 && errors.Is(why, ErrTimeout) {
		why = fmt.Errorf("not sent, because earlier calls still use the channel: %w", why)
	}
	p.gone = true
	p.fail(why)
	t.remove(p)
	if p.asked > 0 || p.names > 0 {
		t.state.Store(turnWatched)
		c.ep.Interrupt() // so that the leader gives its requests up
	}
	return true
}

func (t *turn) remove(p *party) {
	for i, q := range t.queue {
		if q == p {
			t.queue = append(t.queue[:i], t.queue[i+1:]...)
			return
		}
	}
}

// rouse wakes a follower. The caller has mu.
func (p *party) rouse(lead bool) {
	if !p.woken {
		p.woken = true
		p.wake <- lead
	}
}

// leave ends the leading: another party leads, or none does.
func (c *Channel) leave() {
	t := &c.turn
	if c.low == c.next && t.state.CompareAndSwap(turnLed, turnFree) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		for n := c.low; n != c.next; n++ {
			if p := c.flights[c.slot(n)].party; p != nil && !p.woken && !p.gone {
				p.fail(errClosed)
				p.rouse(false)
			}
		}
		close(t.quiet)
		return
	}
	for n := c.low; n != c.next; n++ {
		if p := c.flights[c.slot(n)].party; p != nil && !p.woken && !p.gone {
			t.remove(p)
			p.rouse(true)
			return
		}
	}
	if len(t.queue) > 0 {
		p := t.queue[0]
		t.queue = t.queue[1:]
		p.rouse(true)
		return
	}
	t.state.Store(turnFree)
}

// close refuses new calls, and ends those in the queue. The leader, if there is one,
// ends by itself, and those in the channel with it.
func (t *turn) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.quiet = make(chan struct{})
	if t.state.Swap(turnWatched) == turnFree {
		close(t.quiet)
	}
	for _, p := range t.queue {
		p.gone = true
		p.fail(errClosed)
		p.rouse(false)
	}
	t.queue = nil
}
