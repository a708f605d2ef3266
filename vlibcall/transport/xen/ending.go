// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"sync"
	"sync/atomic"
	"time"
)

// endsWithin is how long after its answer a call is left to its server to end,
// which listens within microseconds as a rule. It passes twice at most before
// the client ends the call: the payment is over within 10 ms of the answer.
const endsWithin = 3 * time.Millisecond

// ending ends the payment for requests that are answered, whatever the server
// does. The client cannot see whether the server has listened: what stands in
// the channel may be a lie, and to ask the module costs as much as to tell it. So
// one timer a channel says FINISH of the last answer when no newer one has come
// for a while. It costs a store a call; the timer runs every few milliseconds
// while there are calls, and makes one hypercall when they stop.
type ending struct {
	finish   func(request uint64) error
	answered atomic.Uint64 // the last request that was
	armed    atomic.Bool
	finished atomic.Uint64 // the last request that FINISH was said of

	mu     sync.Mutex
	timer  *time.Timer
	seen   uint64 // what was answered when the timer was set
	closed bool
}

// watch notes an answer.
func (w *ending) watch(request uint64) {
	w.answered.Store(request)
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.set()
	}
}

// set has the timer look again. The caller has armed it.
func (w *ending) set() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.seen = w.answered.Load()
	if w.timer == nil {
		w.timer = time.AfterFunc(endsWithin, w.look)
	} else {
		w.timer.Reset(endsWithin)
	}
}

// look ends what was answered before the timer was set, if that is the last.
func (w *ending) look() {
	w.mu.Lock()
	seen := w.seen
	w.mu.Unlock()
	if w.answered.Load() != seen {
		w.set()
		return
	}
	w.end() // a failure here is the next call's to report
	w.armed.Store(false)
	if w.answered.Load() != seen && w.armed.CompareAndSwap(false, true) {
		w.set() // an answer came meanwhile, and found the timer armed
	}
}

// end ends what is answered now, if it was not before, and reports whether it
// did.
func (w *ending) end() bool {
	request := w.answered.Load()
	if w.finished.Swap(request) == request {
		return false
	}
	return w.finish(request) == nil
}

// close ends what is answered; nothing follows.
func (w *ending) close() {
	w.mu.Lock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.end()
}

// endings are those of this process, by reservation: a reservation is good for
// few calls at once, and must not be busy with what is answered.
type endings struct {
	mu sync.Mutex
	of map[uint32]map[*ending]struct{}
}

var answered = endings{of: make(map[uint32]map[*ending]struct{})}

func (a *endings) add(reservation uint32, w *ending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[reservation] == nil {
		a.of[reservation] = make(map[*ending]struct{})
	}
	a.of[reservation][w] = struct{}{}
}

func (a *endings) remove(reservation uint32, w *ending) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.of[reservation], w)
	if len(a.of[reservation]) == 0 {
		delete(a.of, reservation)
	}
}

// end ends all that is answered on a reservation, and reports whether there was
// any.
func (a *endings) end(reservation uint32) (any bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for w := range a.of[reservation] {
		any = w.end() || any
	}
	return any
}
