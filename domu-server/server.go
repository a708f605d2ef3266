// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/builtin"
	"github.com/vlibos/vlibos/vlibcall/signature"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// Server serves the calls to one vLib OS.
type Server struct {
	calls *vlibcall.Server
	opts  Options
	pool  pool
	ctx   context.Context // of Serve
}

// New returns a server for the channels of l, which it then owns. It has the
// functions of package builtin and the libraries of the guest.
func New(l transport.Listener, opts Options) *Server {
	s := &Server{calls: vlibcall.NewServer(l), opts: opts.withDefaults()}
	s.pool = pool{path: s.opts.Worker, max: s.opts.MaxWorkers, log: s.opts.Log}
	s.calls.Order, s.calls.AtOnce, s.calls.Linger = s.opts.Order, s.opts.AtOnce, s.opts.Linger
	if s.opts.SessionIdle != 0 {
		s.calls.SessionIdle = s.opts.SessionIdle
	}
	s.calls.Handle(builtin.Library, builtin.Echo, func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	s.calls.Handle(builtin.Library, builtin.Services, s.services)
	if !opts.NoRun {
		s.calls.Handle(builtin.Library, builtin.Run, s.run)
	}
	s.calls.HandleRest(s.resolve)
	return s
}

// Handle adds a function. A library name with such a function hides a library
// of the guest with the same name. It may be called while serving.
func (s *Server) Handle(library, function string, h vlibcall.Handler) {
	s.calls.Handle(library, function, h)
}

// Serve serves until ctx is done (nil) or the listener fails. Then it closes
// the listener and every channel, and ends all workers. A call under way when
// ctx is done ends as cancelled. Call Serve once.
func (s *Server) Serve(ctx context.Context) error {
	s.ctx = ctx
	if s.opts.Sole {
		release, err := kin.adopt()
		if err != nil {
			return errors.Join(err, s.calls.Close())
		}
		defer release()
	}
	defer s.pool.stop()
	return s.calls.Serve(ctx)
}

// resolve finds the handler for a function of a library of the guest.
func (s *Server) resolve(library, function string) (vlibcall.Handler, error) {
	if library == builtin.Library && function == builtin.Run {
		return nil, &vlibcall.StatusError{Status: vlibcall.StatusDenied, Detail: "this server runs no commands; its --run allows it"}
	}
	ours := false
	s.calls.Functions(func(l, _ string) { ours = ours || l == library })
	if ours {
		return nil, &vlibcall.StatusError{Status: vlibcall.StatusNoFunction, Detail: fmt.Sprintf("%.255q in %s", function, library)}
	}
	path, err := s.opts.Libraries.resolve(library)
	if err != nil {
		return nil, err
	}
	if err := signature.CheckSymbol(function); err != nil {
		return nil, &vlibcall.StatusError{Status: vlibcall.StatusNoFunction, Detail: err.Error()}
	}
	return func(c *vlibcall.Call) error { return s.forward(c, path, function) }, nil
}

// forward serves a call with a worker, within the limits of the server and of
// the client.
func (s *Server) forward(c *vlibcall.Call, path, function string) error {
	ctx := c.Context(s.ctx)
	timed, cancel := withLimit(ctx, s.opts.MaxRunTime)
	defer cancel()
	err := s.pool.call(timed, c, path, function)
	switch {
	case err != errCancelled:
		return err
	case ctx.Err() == nil:
		return &vlibcall.StatusError{Status: vlibcall.StatusCancelled, Detail: fmt.Sprintf(
			"it ran for %v, the server's --max-run-time", s.opts.MaxRunTime)}
	}
	return s.cancelled()
}

// cancelled is the error of a call whose context is done.
func (s *Server) cancelled() error {
	detail := "the client gave up, or its time was over"
	if s.ctx.Err() != nil {
		detail = "the server is stopping"
	}
	return &vlibcall.StatusError{Status: vlibcall.StatusCancelled, Detail: detail}
}
