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

// Domain is an open domain, as directory.Domain is. The gateway closes it.
type Domain interface {
	transport.Dialer
	io.Closer
}

const (
	// leastSize of a channel, in bytes. Most calls fit into it, so that the
	// channel need not be replaced by a larger one.
	leastSize = 64 << 10
	// idleWay is how long an unused channel stays open.
	idleWay = time.Minute
	// openAgain is how long the gateway waits before it tries again to open a
	// channel: calls to an absent vLib OS must not delay others.
	openAgain = time.Second
	// openTime limits an opening, as does the call's timeout.
	openTime = 5 * time.Second
)

// way is an open channel to the vLib OS.
type way struct {
	*vlibcall.Channel
	domain Domain
	size   int
	rules  *policy.Rules // under which its reservation was found
	used   time.Time     // last
	busy   bool          // a call is under way
	hung   bool          // a call was given up, and the vLib OS may still serve it
}

// unanswered reports whether the vLib OS still serves an abandoned call. If its
// answer has arrived, the call ends. The caller holds the lock of ways.
func (w *way) unanswered() bool {
	if w.hung {
		// The next call has the same error, and reports it.
		w.hung, _ = w.Settle()
	}
	return w.hung
}

func (w *way) close() error { return errors.Join(w.Channel.Close(), w.domain.Close()) }

// ways are the channels to a target: one for each reservation that is charged
// for calls, and one for calls without.
type ways struct {
	find   func(ctx context.Context) (Domain, error)
	port   uint32
	told   bool // the host sees servers that hang in calls with a reservation
	mu     sync.Mutex
	open   map[string]*way // by the rule's key; "": no reservation
	left   []*way          // replaced, with a call that is still unanswered
	failed map[string]failure
}

// failure is why a channel could not be opened. It holds for channels of that
// size and above, since a larger one needs more memory of the guest, or for all
// if there is no server.
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

// get returns a channel of at least size bytes. Under new rules a reservation's
// number may mean another one, so get asks for the reservation again. A new
// channel is opened before the old one is closed: if that fails, only this
// caller gets an error. One goroutine at a time.
func (ws *ways) get(ctx context.Context, key string, rules *policy.Rules, size int, pay func() (uint32, error)) (*way, error) {
	// Powers of two, so that a channel rarely grows.
	size = max(leastSize, 1<<bits.Len(uint(size-1)))
	ws.mu.Lock()
	for _, w := range ws.open {
		w.unanswered() // an answer that has arrived frees the vLib OS
	}
	maps.DeleteFunc(ws.failed, func(_ string, f failure) bool { return f.over() })
	w := ws.open[key]
	good := w != nil && w.Gone() == nil && (key == "" || w.rules == rules)
	usable := good && w.size >= size
	if usable {
		w.busy = true // stuck and shed do not close it
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
		// The timeout of one caller is no reason to refuse the next.
		if ctx.Err() == nil {
			ws.failed[key] = newFailure(err, size)
		}
		return nil, err
	}
	next.rules = rules
	ws.open[key] = next
	return next, nil
}

// shed closes unused channels, since they count towards the total that a guest
// grants, and reports whether there were any. They are opened again when
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
		w.close() // its error would change nothing
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

// done records how the call in the channel from get has ended.
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

// drop closes a channel, or leaves it open while an answer is outstanding: the
// answer, or its absence, shows whether the vLib OS is wedged. Where the host
// sees calls with a reservation, asking for the reservation of the next channel
// ends such a call.
func (ws *ways) drop(key string, w *way) {
	ws.mu.Lock()
	if ws.open[key] != w {
		ws.mu.Unlock()
		return // stuck has closed it
	}
	delete(ws.open, key)
	stays := (key == "" || !ws.told) && w.unanswered()
	if stays {
		ws.left = append(ws.left, w)
	}
	ws.mu.Unlock()
	if !stays {
		w.close() // its error would change nothing
	}
}

// stuck reports whether an abandoned call is still unanswered, and closes idle
// channels. Where the host sees calls with a reservation, these do not count:
// such a call may never have begun, and then the server serves nothing.
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
	left := ws.left[:0]
	for _, w := range ws.left {
		if w.unanswered() {
			left, stuck = append(left, w), true
		} else {
			idle = append(idle, w)
		}
	}
	clear(ws.left[len(left):])
	ws.left = left
	ws.mu.Unlock()
	for _, w := range idle {
		w.close() // its error would change nothing
	}
	return stuck
}

// close closes all channels, after the last call.
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
