// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// Session has the channel, and while it is busy the whole vLib OS, to
// itself: after one opening call both sides poll the channel until the end
// mark (vLibOS paper, section 3.5, second case). It is for high rates; other
// clients of the vLib OS wait.
//
// A server stops polling when a session is idle for longer than
// Server.SessionIdle. The session continues: its next call wakes the server
// as an ordinary call does.
type Session struct {
	c       *Channel
	library string
	name    string

	turn   turn // of the session's calls
	closed atomic.Bool
}

// endTime limits how long Close waits for a server that still serves an
// abandoned call.
const endTime = time.Second

// Session opens a session for one function. It blocks like Call until the
// server has found the function. Other calls of the channel wait until the
// session is closed.
func (c *Channel) Session(ctx context.Context, library, function string) (*Session, error) {
	s, err := c.openSession(ctx, library, function)
	if err != nil {
		return nil, c.failed("session", library, function, err)
	}
	return s, nil
}

func (c *Channel) openSession(ctx context.Context, library, function string) (*Session, error) {
	m := c.message(ctx, library, function, nil, flagSession|flagSessionOpen)
	ticket, err := c.turn.enter()
	if err != nil {
		return nil, err
	}
	if err := c.turn.await(ctx, m.deadline, ticket); err != nil {
		return nil, err
	}
	if _, err := c.exchange(ctx, m, nil); err != nil {
		c.turn.leave()
		return nil, err
	}
	return &Session{c: c, library: library, name: function}, nil
}

// Call is Channel.Call within the session: it sends no names, and both sides
// poll. One at a time. Its receipt has no Cost: to the scheduler a session is
// one call.
func (s *Session) Call(ctx context.Context, input, dst []byte) ([]byte, error) {
	var start time.Time
	if s.c.opts.Record != nil {
		start = time.Now()
	}
	dst, err := s.callInTurn(ctx, input, dst)
	if err != nil {
		dst, err = nil, s.c.failed("call", s.library, s.name, err)
	}
	if s.c.opts.Record != nil {
		s.c.opts.Record(s.library, s.name, Receipt{Wall: time.Since(start)}, err)
	}
	return dst, err
}

func (s *Session) callInTurn(ctx context.Context, input, dst []byte) ([]byte, error) {
	m := s.c.message(ctx, "", "", input, flagSession)
	ticket, err := s.turn.enter()
	if err == nil {
		err = s.turn.await(ctx, m.deadline, ticket)
	}
	if err != nil {
		return nil, err
	}
	defer s.turn.leave()
	if s.closed.Load() {
		return nil, errClosed
	}
	return s.c.exchange(ctx, m, dst)
}

// Close sends the end mark and frees the channel for other calls. A call under
// way returns os.ErrClosed. A server that serves an abandoned call may learn of
// the end only with the channel's next call: then Close returns ErrTimeout,
// after at most a second. Idempotent.
func (s *Session) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.c.ending.Store(true)
	s.c.ep.Interrupt()
	// The call under way ends, and those behind it find the session closed.
	if ticket, err := s.turn.enter(); err == nil && ticket != nil {
		<-ticket
	}
	defer s.turn.leave()
	s.c.ending.Store(false)
	defer s.c.turn.leave()
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	_, err := s.c.exchange(ctx, s.c.message(ctx, "", "", nil, flagSessionEnd), nil)
	if errors.Is(err, os.ErrClosed) || errors.Is(err, ErrGone) {
		return nil // there is no server to tell
	}
	return err
}
