// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vlibos/vlibos/vlibcall/transport"
)

const (
	// DefaultMost is how many channels a pool opens at once.
	DefaultMost = 4
	// DefaultIdle is how long a pool leaves an unused channel open.
	DefaultIdle = time.Minute
)

// PoolOptions limit a pool. The zero value is a sensible default.
type PoolOptions struct {
	// Most channels are open at once; default DefaultMost. They are the
	// domain's memory.
	Most int
	// Idle is how long an unused channel stays open; default DefaultIdle.
	Idle time.Duration
}

// Pool has open channels to one server for tools that would open one for each
// call, which costs as much as some twenty calls. It opens channels when they
// are needed, the next one after the server has restarted, and closes those
// that are not used. All methods are safe for concurrent use. The owner closes
// it.
type Pool struct {
	dialer  transport.Dialer
	channel Options
	idle    time.Duration
	places  chan struct{} // one for each channel that is open or being opened
	free    chan *pooled  // unused, and open

	mu      sync.Mutex
	closed  bool
	done    chan struct{} // closed by Close
	sweeper sync.WaitGroup
}

type pooled struct {
	*Channel
	since time.Time // unused
}

// NewPool makes a pool of channels with these options, and opens none. The
// domain that d leads to must outlive it.
func NewPool(d transport.Dialer, channel Options, o PoolOptions) *Pool {
	most := cmp.Or(max(o.Most, 0), DefaultMost)
	p := &Pool{
		dialer: d, channel: channel, idle: cmp.Or(max(o.Idle, 0), DefaultIdle),
		places: make(chan struct{}, most), free: make(chan *pooled, most), done: make(chan struct{}),
	}
	p.sweeper.Go(p.sweep)
	return p
}

// Call is [Channel.Call] in a channel that no other call uses. It waits while
// all are in use. A call is made once: one that fails in mid-call, because the
// server ends, fails.
func (p *Pool) Call(ctx context.Context, library, function string, input, dst []byte) ([]byte, error) {
	if p.channel.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.channel.Timeout)
		defer cancel()
	}
	ch, err := p.take(ctx)
	if err != nil {
		return nil, &OpError{Peer: p.channel.Peer, Op: "call", Target: library + ":" + function, Err: err}
	}
	dst, err = ch.Call(ctx, library, function, input, dst)
	p.giveBack(ch)
	return dst, err
}

// take returns a channel for one call.
func (p *Pool) take(ctx context.Context) (*Channel, error) {
	for {
		select {
		case <-p.done:
			return nil, errClosed
		default:
		}
		// An open one is preferred to a new one.
		select {
		case ch := <-p.free:
			if p.usable(ch.Channel) {
				return ch.Channel, nil
			}
			continue
		default:
		}
		select {
		case ch := <-p.free:
			if p.usable(ch.Channel) {
				return ch.Channel, nil
			}
		case p.places <- struct{}{}:
			ch, err := Open(ctx, p.dialer, p.channel)
			if err != nil {
				<-p.places
				return nil, err
			}
			return ch, nil
		case <-p.done:
			return nil, errClosed
		case <-ctx.Done():
			return nil, fmt.Errorf("all %d channels are in use: %w", cap(p.places), timeoutOf(ctx.Err()))
		}
	}
}

// usable closes a channel whose server is gone, or that serves an abandoned
// call: the next call would wait for that.
func (p *Pool) usable(ch *Channel) bool {
	unanswered, err := ch.Settle()
	if err == nil && !unanswered && ch.Gone() == nil {
		return true
	}
	p.end(ch)
	return false
}

func (p *Pool) giveBack(ch *Channel) {
	if !p.usable(ch) {
		return
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.free <- &pooled{ch, time.Now()} // there is room for all
	}
	p.mu.Unlock()
	if closed {
		p.end(ch)
	}
}

// end closes a channel. Its error would change nothing.
func (p *Pool) end(ch *Channel) {
	ch.Close()
	<-p.places
}

// sweep closes channels that were not used for a while.
func (p *Pool) sweep() {
	tick := time.NewTicker(p.idle)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
			p.closeIdle(time.Now().Add(-p.idle))
		}
	}
}

// closeIdle closes channels that are unused since then or longer.
func (p *Pool) closeIdle(since time.Time) {
	for range cap(p.free) {
		select {
		case ch := <-p.free:
			if !ch.since.After(since) {
				p.end(ch.Channel)
				continue
			}
			p.free <- ch
		default:
			return
		}
	}
}

// Close closes the channels. Calls under way end first; later ones return
// os.ErrClosed. Idempotent.
func (p *Pool) Close() error {
	p.mu.Lock()
	again := p.closed
	if !again {
		p.closed = true
		close(p.done)
	}
	p.mu.Unlock()
	if again {
		return nil
	}
	p.sweeper.Wait()
	var errs []error
	for range cap(p.places) {
		select {
		case ch := <-p.free:
			errs = append(errs, ch.Close())
		case p.places <- struct{}{}: // waits for calls under way
		}
	}
	return errors.Join(errs...)
}
