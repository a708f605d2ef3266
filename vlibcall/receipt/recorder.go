// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
)

// Recorder counts one caller's calls of one domain into a book. It is safe for
// concurrent use.
type Recorder struct {
	book   *Book
	caller Caller
	domain string
	name   string

	places atomic.Pointer[map[place]*words] // replaced as a whole, under mu
	mu     sync.Mutex
}

type place struct{ library, function string }

// Record counts a call; it is a vlibcall.Options.Record. A call of a function
// that is new to the book takes a place in it, which costs some microseconds.
func (r *Recorder) Record(library, function string, rc vlibcall.Receipt, err error) {
	w := (*r.places.Load())[place{library, function}]
	if w == nil {
		w = r.enter(place{library, function})
	}
	w[wallAt+bucketOf(rc.Wall)].Add(1)
	w.time(wallSumAt, rc.Wall)
	if c := rc.Cost; c != nil {
		w[queuedAt+bucketOf(c.Queued)].Add(1)
		w.time(queuedSumAt, c.Queued)
		w[cpuAt+bucketOf(c.Foreground+c.Background)].Add(1)
		w.time(foregroundAt, c.Foreground)
		w.time(backgroundAt, c.Background)
		w.time(throttledAt, c.Throttled)
		w.add(deschedulesAt, c.Deschedules)
	}
	if err != nil {
		w.add(errorsAt+kindOf(err), 1)
	}
	runtime.KeepAlive(r.book) // which unmaps its memory when it is no longer referenced
}

func (w *words) time(at int, d time.Duration) { w.add(at, uint64(max(d, 0))) }

func (w *words) add(at int, n uint64) {
	if n != 0 {
		w[at].Add(n)
	}
}

// maxPlaces limits what a recorder remembers: tools that invent names must not
// fill the memory.
const maxPlaces = 1024

// enter finds a place for a function in the book.
func (r *Recorder) enter(p place) *words {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := *r.places.Load()
	if w := known[p]; w != nil {
		return w
	}
	w, final := r.book.place(r, p)
	if final && len(known) < maxPlaces {
		more := maps.Clone(known)
		more[p] = w
		r.places.Store(&more)
	}
	return w
}
