// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"sync"
	"sync/atomic"
	"time"
)

// endsWithin is how long after its answer a call is left to its server to end;
// usually the server listens within microseconds. It passes at most twice
// before the client ends the call: the charge ends within 10 ms of the answer.
const endsWithin = 3 * time.Millisecond

// ending ends the charge for answered requests, whatever the server does. The
// client cannot see whether the server has listened: the contents of the
// channel may be false, and asking the module costs as much as telling it. So
// one timer for each channel finishes the last answered request when no newer
// answer has come for a while. It costs a store for each call. The timer runs
// every few milliseconds while there are calls, and makes one hypercall when
// they stop.
type ending struct {
	finish   func(request uint64) error
	answered atomic.Uint64 // the last answered request
	armed    atomic.Bool
	finished atomic.Uint64 // the last request that was finished by FINISH

	mu     sync.Mutex
	timer  *time.Timer
	seen   uint64 // answered when the timer was set
	closed bool
}

// watch records an answer.
func (w *ending) watch(request uint64) {
	w.answered.Store(request)
	if !w.armed.Load() && w.armed.CompareAndSwap(false, true) {
		w.set()
	}
}

// set restarts the timer. The caller has armed it.
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

// look ends what was answered before the timer was set, if that is the last
// answer.
func (w *ending) look() {
	w.mu.Lock()
	seen := w.seen
	w.mu.Unlock()
	if w.answered.Load() != seen {
		w.set()
		return
	}
	w.end() // a failure is reported by the next call
	w.armed.Store(false)
	if w.answered.Load() != seen && w.armed.CompareAndSwap(false, true) {
		w.set() // an answer came meanwhile, with the timer armed
	}
}

// end ends the last answered request, unless it was ended before, and reports
// whether it did.
func (w *ending) end() bool {
	request := w.answered.Load()
	if w.finished.Swap(request) == request {
		return false
	}
	return w.finish(request) == nil
}

// close ends the last answered request; no further one follows.
func (w *ending) close() {
	w.mu.Lock()
	w.closed = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.end()
}

// endings are those of this process, by reservation: a reservation allows few
// calls at once, and should not be busy with answered ones.
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

// end ends all answered calls of a reservation, and reports whether there was
// one.
func (a *endings) end(reservation uint32) (any bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for w := range a.of[reservation] {
		any = w.end() || any
	}
	return any
}
