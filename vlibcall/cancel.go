// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"math"
	"sync"
	"time"
)

// grace is what a server adds to a client's timeout. Normally the client's own
// clock ends the call first, with the right reason. The server's clock is for a
// client that can no longer cancel.
const grace = time.Second

// cancelPoll is the interval of a cancelWatch. It limits how long a server
// stays busy for a client that has left.
const cancelPoll = 5 * time.Millisecond

// cancelWatch turns a client's cancel word into the end of a context. It polls,
// because the only goroutine that receives the channel's event is busy with the
// call itself.
type cancelWatch struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex // held while the channel is read
	call    *Call      // nil once stopped: the memory may be unmapped
	timeout *time.Timer
	poll    *time.Timer
}

func watchCancel(parent context.Context, c *Call) *cancelWatch {
	w := &cancelWatch{call: c}
	w.ctx, w.cancel = context.WithCancel(parent)
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := c.Timeout(); t > 0 {
		w.timeout = time.AfterFunc(min(t, math.MaxInt64-grace)+grace, w.cancel)
	}
	w.poll = time.AfterFunc(cancelPoll, w.look)
	return w
}

func (w *cancelWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.call == nil {
		return
	}
	if w.call.Cancelled() {
		w.cancel()
		return
	}
	w.poll.Reset(cancelPoll)
}

func (w *cancelWatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.call = nil
	w.poll.Stop()
	if w.timeout != nil {
		w.timeout.Stop()
	}
	w.cancel()
}
