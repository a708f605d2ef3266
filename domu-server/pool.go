// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"sync"

	"github.com/vlibos/vlibos/vlibcall"
)

// idleMemory limits the channel memory that all idle workers have touched
// together, in bytes; a single one may have more.
const idleMemory = 64 << 20

// pool has the idle workers. Calls that are served at the same time have workers of
// their own, also those of one library.
type pool struct {
	path string
	max  int
	log  *log.Logger

	mu   sync.Mutex
	idle []*worker // most recently used first
}

// call serves c with a function of a library. It returns when the function
// returns, when its process has died, or, with errCancelled, when ctx is done
// and the worker has been killed.
func (p *pool) call(ctx context.Context, c *vlibcall.Call, library, function string) error {
	w, err := p.take(ctx, library)
	if err != nil {
		if ctx.Err() != nil {
			return errCancelled
		}
		p.log.Print(err)
		// The function was not called, so it has not failed.
		return &vlibcall.StatusError{Status: vlibcall.StatusNoLibrary, Detail: fmt.Sprintf("this server cannot call libraries: %v", err)}
	}
	room, err := c.Reserve(c.Room())
	if err != nil {
		p.keep(w)
		return err
	}
	output, err := w.call(ctx, function, c.Input(), room)
	if err == nil {
		p.keep(w)
		return c.Reply(output)
	}
	var verdict *vlibcall.StatusError
	switch {
	case errors.As(err, &verdict) && verdict.Status == vlibcall.StatusNoLibrary:
		w.stop() // it is unusable: do not let it evict a working one
		return verdict
	case errors.As(err, &verdict):
		p.keep(w)
		return verdict
	case errors.Is(err, vlibcall.ErrTooLarge):
		p.keep(w)
		return &vlibcall.StatusError{Status: vlibcall.StatusTooLarge, Detail: fmt.Sprintf(
			"request of %d bytes; this server passes %d to a library, result included", len(c.Input()), workerSize)}
	}
	return p.bury(ctx, w, function, err)
}

var errCancelled = errors.New("cancelled")

// bury ends a worker that did not answer, and returns the reason.
func (p *pool) bury(ctx context.Context, w *worker, function string, err error) error {
	died := w.died()
	if !died && ctx.Err() != nil {
		return errCancelled
	}
	detail := "it closed the worker's channel"
	switch {
	case died:
		detail = w.obituary()
	case errors.Is(err, vlibcall.ErrProtocol):
		detail = fmt.Sprintf("it damaged the worker's channel: %v", errors.Unwrap(err))
	}
	p.log.Printf("%q %s crashed: %s", w.library, function, detail)
	return &vlibcall.StatusError{Status: vlibcall.StatusCrashed, Detail: detail}
}

// take takes the library's worker out of the pool, or starts one.
func (p *pool) take(ctx context.Context, library string) (*worker, error) {
	if w := p.find(library); w != nil {
		if !w.ended() {
			return w, nil
		}
		w.stop()
		p.log.Printf("%q crashed between calls: %s", library, w.obituary())
	}
	return startWorker(ctx, p.path, library)
}

// find takes the library's worker out of the pool; nil: there is none.
func (p *pool) find(library string) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.idle, func(w *worker) bool { return w.library == library })
	if i < 0 {
		return nil
	}
	w := p.idle[i]
	p.idle = slices.Delete(p.idle, i, i+1)
	return w
}

// keep puts a worker into the pool, and stops those that exceed its limits.
func (p *pool) keep(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = slices.Insert(p.idle, 0, w)
	touched := 0
	for i, w := range p.idle {
		touched += w.touched
		if i > 0 && (i >= p.max || touched > idleMemory) {
			p.end(i)
			return
		}
	}
}

// stop stops all workers.
func (p *pool) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(0)
}

// end stops the workers from index i on. The caller has mu.
func (p *pool) end(i int) {
	for _, w := range p.idle[i:] {
		w.stop()
	}
	clear(p.idle[i:])
	p.idle = p.idle[:i]
}

func (p *pool) running() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := make([]string, len(p.idle))
	for i, w := range p.idle {
		names[i] = w.library
	}
	return names
}
