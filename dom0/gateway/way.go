// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Domain is a way to one domain, as directory.Domain is. The gateway closes it.
type Domain interface {
	transport.Dialer
	io.Closer
}

const (
	// leastSize is that of a channel to a vLib OS, in bytes: most calls fit,
	// and it need not be made anew for the next.
	leastSize = 64 << 10
	// idleWay is when an unused channel is closed.
	idleWay = time.Minute
	// openAgain is how soon after a channel could not be opened it is tried
	// again: others are not to be kept busy by calls to nobody.
	openAgain = time.Second
	// openTime bounds an opening, besides the call's own time.
	openTime = 5 * time.Second
)

// way is an open channel to the vLib OS.
type way struct {
	*vlibcall.Channel
	domain Domain
	size   int
	rules  *policy.Rules // under which it is paid
	used   time.Time     // last
	busy   bool          // a call is made now
	hung   bool          // a call was given up, and its answer may be outstanding
}

// unanswered reports whether the vLib OS is at a call that was given up, and
// says that it is done when it is. The caller has the ways' lock.
func (w *way) unanswered() bool {
	if w.hung {
		// A failure is the next call's too, which reports it.
		w.hung, _ = w.Settle()
	}
	return w.hung
}

func (w *way) close() error { return errors.Join(w.Channel.Close(), w.domain.Close()) }

// ways are a target's, one for each reservation that pays, and one for calls
// that nobody pays.
type ways struct {
	find   func(ctx context.Context) (Domain, error)
	port   uint32
	told   bool // the host tells of servers that hang at paid calls
	mu     sync.Mutex
	open   map[string]*way // by the rule's key; "": not paid
	left   []*way          // replaced, but a call is still unanswered there
	failed map[string]failure
}

// failure is of an opening: of channels of that size and above, since a larger
// one needs more of the guest; of all, if nothing is there to be called.
type failure struct {
	err  error
	size int // in bytes; 0: all
	when time.Time
}

func newFailure(err error, size int) failure {
	f := failure{err, size, time.Now()}
	for _, absent := range []error{vlibcall.ErrGone, vlibcall.ErrTimeout, vlibcall.ErrReservation, host.ErrNoDomain} {
		if errors.Is(err, absent) {
			f.size = 0
		}
	}
	return f
}

func (f failure) over() bool { return time.Since(f.when) >= openAgain }

func newWays(find func(ctx context.Context) (Domain, error), port uint32, told bool) *ways {
	return &ways{find: find, port: port, told: told, open: make(map[string]*way), failed: make(map[string]failure)}
}

// get returns a channel of at least size bytes. Under other rules than before the
// number of a reservation may be another's: what is paid is paid anew. The next
// channel is there before the last one goes, so that one that cannot be had
// costs its caller an error and others nothing. One goroutine at a time.
func (ws *ways) get(ctx context.Context, key string, rules *policy.Rules, size int, pay func() (uint32, error)) (*way, error) {
	// Powers of two, so that growing does not become a habit.
	size = max(leastSize, 1<<bits.Len(uint(size-1)))
	ws.mu.Lock()
	for _, w := range ws.open {
		w.unanswered() // what has come lets this call begin
	}
	maps.DeleteFunc(ws.failed, func(_ string, f failure) bool { return f.over() })
	w := ws.open[key]
	good := w != nil && w.Gone() == nil && (key == "" || w.rules == rules)
	usable := good && w.size >= size
	if usable {
		w.busy = true // from here on nobody else closes it
	}
	f, failed := ws.failed[key]
	ws.mu.Unlock()
	switch {
	case usable:
		return w, nil
	case failed && size >= f.size:
		return nil, f.err
	case w != nil && !good:
		ws.drop(key, w)
		w = nil
	}
	next, err := ws.make(ctx, size, pay)
	if errors.Is(err, vlibcall.ErrTooLarge) && ws.shed() {
		next, err = ws.make(ctx, size, pay)
	}
	if err == nil && w != nil {
		ws.drop(key, w)
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if err != nil {
		// That one caller had no time is nothing to tell the next one.
		if ctx.Err() == nil {
			ws.failed[key] = newFailure(err, size)
		}
		return nil, err
	}
	next.rules = rules
	ws.open[key] = next
	return next, nil
}

// shed closes the channels that are not in use, which take what a guest grants
// in all, and reports whether there were any. They are made again when they are
// needed.
func (ws *ways) shed() bool {
	ws.mu.Lock()
	var idle []*way
	for key, w := range ws.open {
		if !w.busy && !w.unanswered() {
			idle = append(idle, w)
			delete(ws.open, key)
		}
	}
	ws.mu.Unlock()
	for _, w := range idle {
		w.close() // as in stuck
	}
	return len(idle) > 0
}

func (ws *ways) make(ctx context.Context, size int, pay func() (uint32, error)) (*way, error) {
	reservation, err := pay()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", vlibcall.ErrReservation, err)
	}
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	d, err := ws.find(ctx)
	if err != nil {
		return nil, err
	}
	ch, err := vlibcall.Open(ctx, d, vlibcall.Options{Port: transport.Port(ws.port), Size: size, Wait: vlibcall.Block, Reservation: transport.Reservation(reservation)})
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return &way{Channel: ch, domain: d, size: size, busy: true}, nil
}

// done notes how the call for which get gave the channel went.
func (ws *ways) done(w *way, err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.busy, w.used = false, time.Now()
	if answer := (*vlibcall.StatusError)(nil); err == nil || errors.As(err, &answer) {
		w.hung = false
	} else if errors.Is(err, vlibcall.ErrTimeout) {
		w.hung = true
	}
}

// drop closes a channel, or keeps it for as long as an answer is outstanding
// there: whether it comes says whether the vLib OS is wedged. Where the host
// tells of paid calls, what is outstanding is over when the next channel is paid.
func (ws *ways) drop(key string, w *way) {
	ws.mu.Lock()
	if ws.open[key] != w {
		ws.mu.Unlock()
		return // it was idle, and closed
	}
	delete(ws.open, key)
	keep := (key == "" || !ws.told) && w.unanswered()
	if keep {
		ws.left = append(ws.left, w)
	}
	ws.mu.Unlock()
	if !keep {
		w.close() // the other side is gone, or the next channel is larger
	}
}

// stuck reports whether a call is unanswered that was given up, and closes what
// is of no more use. Where the host tells of paid calls these do not count:
// one may never have begun, its server was then not told, and is at nothing.
func (ws *ways) stuck(now time.Time) bool {
	ws.mu.Lock()
	var idle []*way
	stuck := false
	for key, w := range ws.open {
		unanswered := w.unanswered()
		paid := key != "" && ws.told
		stuck = stuck || unanswered && !paid
		if !w.busy && (paid || !unanswered) && now.Sub(w.used) > idleWay {
			idle = append(idle, w)
			delete(ws.open, key)
		}
	}
	kept := ws.left[:0]
	for _, w := range ws.left {
		if w.unanswered() {
			kept, stuck = append(kept, w), true
		} else {
			idle = append(idle, w)
		}
	}
	clear(ws.left[len(kept):])
	ws.left = kept
	ws.mu.Unlock()
	for _, w := range idle {
		w.close() // nobody uses it, and nobody could do anything about a failure
	}
	return stuck
}

// close closes all. Nobody calls any more.
func (ws *ways) close() error {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	var errs []error
	for _, w := range ws.open {
		errs = append(errs, w.close())
	}
	for _, w := range ws.left {
		errs = append(errs, w.close())
	}
	clear(ws.open)
	ws.left = nil
	return errors.Join(errs...)
}
