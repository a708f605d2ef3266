// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// Session is for a series of calls of one function at a high rate: from its
// beginning to its end the server polls this channel, and only this one, after each
// answer (vLibOS paper, section 3.5, second case). Other clients of the vLib OS wait.
// Other calls of the channel do not; after one the server listens to all until the
// session's next call, which wakes it as an ordinary call does. So does a call of a
// session that was idle for longer than Server.SessionIdle.
type Session struct {
	c       *Channel
	library string
	name    string
	closed  atomic.Bool
	done    chan struct{} // closed by Close
}

// endTime limits how long Close waits for a server that still serves an
// abandoned call.
const endTime = time.Second

// Session opens a session for one function. It blocks like Call until the
// server has found the function.
func (c *Channel) Session(ctx context.Context, library, function string) (*Session, error) {
	r := &Request{Library: library, Function: function, flags: flagPoll | flagNothing}
	if _, _, err := c.one(ctx, r, nil, false); err != nil {
		return nil, c.failed("session", library, function, err)
	}
	return &Session{c: c, library: library, name: function, done: make(chan struct{})}, nil
}

// Call is Channel.Call within the session: both sides poll. Its receipt has no Cost:
// to the scheduler a session is one call.
func (s *Session) Call(ctx context.Context, input, dst []byte) ([]byte, error) {
	var start time.Time
	if s.c.opts.Record != nil {
		start = time.Now()
	}
	dst, err := s.call(ctx, input, dst)
	if err != nil {
		dst, err = nil, s.c.failed("call", s.library, s.name, err)
	}
	if s.c.opts.Record != nil {
		s.c.opts.Record(s.library, s.name, Receipt{Wall: time.Since(start)}, err)
	}
	return dst, err
}

func (s *Session) call(ctx context.Context, input, dst []byte) ([]byte, error) {
	if s.closed.Load() {
		return nil, errClosed
	}
	dst, _, err := s.c.one(ctx, &Request{Library: s.library, Function: s.name, Input: input, Output: dst, flags: flagPoll}, s, false)
	return dst, err
}

// Close ends the session. Calls under way return os.ErrClosed. A server that serves
// an abandoned call may learn of the end only with the channel's next call: then
// Close returns ErrTimeout, after at most a second. Idempotent.
func (s *Session) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	close(s.done)
	s.c.ep.Interrupt()
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	_, _, err := s.c.one(ctx, &Request{Library: s.library, Function: s.name, flags: flagNothing}, nil, false)
	if answer := (*StatusError)(nil); errors.Is(err, os.ErrClosed) || errors.Is(err, ErrGone) || errors.As(err, &answer) {
		return nil // there is no server to tell, or it was told
	}
	return err
}
