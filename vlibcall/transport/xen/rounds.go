// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"sync"
	"time"
)

// rounds calls f at an interval while there is something to look at, in place of a
// timer for each thing: to set one often wakes a thread, which costs as much as a
// request to xenstored.
type rounds struct {
	every time.Duration
	f     func() (more bool)

	mu     sync.Mutex
	timer  *time.Timer // nil: never needed yet
	set    bool
	closed bool
}

// need makes f be called within twice the interval.
func (r *rounds) need() {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.set || r.closed:
		return
	case r.timer == nil:
		r.timer = time.AfterFunc(r.every, r.round)
	default:
		r.timer.Reset(r.every)
	}
	r.set = true
}

func (r *rounds) round() {
	r.mu.Lock()
	r.set = false
	r.mu.Unlock()
	if r.f() {
		r.need()
	}
}

// close ends the rounds; one may still be under way.
func (r *rounds) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.timer != nil {
		r.timer.Stop()
	}
}
