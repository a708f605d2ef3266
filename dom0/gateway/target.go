// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// target is a vLib OS that the rules name, with the socket for calls to it.
type target struct {
	policy.Target
	g      *Gateway
	listen *native.Listener
	server *vlibcall.Server
	ways   *ways
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	room   []byte // for the next answer

	busy atomic.Bool // a call is under way
	counts
}

// mostRoom limits the memory that is reused for the next answer.
const mostRoom = 64 << 10

// newTarget listens on the target's socket. run serves it.
func (g *Gateway) newTarget(what policy.Target) (*target, error) {
	t := &target{Target: what, g: g, done: make(chan struct{})}
	l, err := native.ListenGuarded(g.dir(what), transport.Port(what.Port), t)
	if err != nil {
		return nil, fmt.Errorf("socket for calls to %v: %w", what, err)
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.ways = newWays(func(ctx context.Context) (Domain, error) { return g.o.Find(ctx, what.Domain) }, what.Port, g.o.Stuck != nil)
	t.listen, t.server = l, vlibcall.NewServer(l)
	t.server.Order = vlibcall.InTurn
	t.server.HandleRest(func(string, string) (vlibcall.Handler, error) { return t.call, nil })
	return t, nil
}

// run serves until close.
func (t *target) run() {
	defer close(t.done)
	err := errors.Join(t.server.Serve(t.ctx), t.ways.close())
	if err != nil {
		t.g.o.Log.Error("calls are no longer served", "domain", t.Domain, "port", t.Port, "error", err)
	}
}

// close cancels the calls that are under way, and waits for their end.
func (t *target) close() {
	t.cancel()
	<-t.done
}

// Admit implements native.Guard.
func (t *target) Admit(p transport.Peer) (native.Place, error) {
	if c := callerOf(p); !t.g.rules().Concern(c, t.Target) {
		return nil, denied(policy.Missing(c, t.Target, "", ""))
	}
	s, err := t.g.quota.enter(p.UID)
	if err != nil {
		return nil, err
	}
	t.clients.Add(1)
	return place{s, t}, nil
}

// place is a client's seat at one target.
type place struct {
	*seat
	t *target
}

func (p place) Leave(m *native.Lent) {
	p.t.clients.Add(^uint64(0))
	p.seat.Leave(m)
}

func callerOf(p transport.Peer) policy.Caller {
	return policy.Caller{UID: p.UID, GID: p.GID, Groups: p.Groups}
}

func denied(text string) error {
	return &vlibcall.StatusError{Status: vlibcall.StatusDenied, Detail: text}
}

// call is the handler of all functions: it forwards the call if a rule allows it.
func (t *target) call(c *vlibcall.Call) error {
	t.busy.Store(true)
	defer t.busy.Store(false)
	if c.Cancelled() {
		t.expired.Add(1)
		return vlibcall.ErrCancelled // it was given up before its turn
	}
	library, function := c.Library(), c.Function()
	peer, ok := c.Peer()
	if !ok {
		return denied("the client is unknown")
	}
	caller := callerOf(peer)
	rules := t.g.allow.Load()
	rule := rules.Decide(caller, t.Target, library, function)
	if rule == nil {
		t.refused.Add(1)
		return denied(policy.Missing(caller, t.Target, library, function))
	}
	t.calls.Add(1)
	err := t.forward(c, rules, rule, library, function)
	if err == nil {
		t.answered.Add(1)
		return nil
	}
	t.failed.Add(1)
	if t.ctx.Err() == nil && errors.Is(err, vlibcall.ErrTimeout) {
		t.timeouts.Add(1)
	}
	return t.verdict(c, rule, err)
}

func (t *target) forward(c *vlibcall.Call, rules *policy.Rules, rule *policy.Rule, library, function string) error {
	limit := rule.Timeout
	if asked := c.Timeout(); asked > 0 {
		limit = min(limit, asked)
	}
	ctx, cancel := context.WithTimeout(c.Context(t.ctx), limit)
	defer cancel()
	// A request that fits into the client's channel fits into one of the same
	// size.
	key := "" // of calls that are charged to no reservation
	if rule.Budget > 0 {
		key = rule.Key()
	}
	w, err := t.ways.get(ctx, key, rules, c.ChannelSize(), func() (uint32, error) { return t.g.pay(ctx, rule) })
	if err != nil {
		return err
	}
	out, err := w.Call(ctx, library, function, c.Input(), t.room)
	t.ways.done(w, err)
	if err != nil {
		return err
	}
	if t.room = nil; cap(out) <= mostRoom {
		t.room = out[:0]
	}
	return c.Reply(out)
}

// verdict is the client's error for a call that was not answered.
func (t *target) verdict(c *vlibcall.Call, rule *policy.Rule, err error) error {
	if answer := (*vlibcall.StatusError)(nil); errors.As(err, &answer) {
		return answer // the vLib OS's own
	}
	s := &vlibcall.StatusError{Status: vlibcall.StatusFailed, Detail: err.Error()}
	switch {
	case t.ctx.Err() != nil:
		s.Status, s.Detail = vlibcall.StatusCancelled, "vlibmaster ends, or no longer serves this domain"
	case c.Cancelled():
		return vlibcall.ErrCancelled
	case errors.Is(err, vlibcall.ErrTimeout):
		s.Status = vlibcall.StatusTimeout
		if asked := c.Timeout(); asked == 0 || asked > rule.Timeout {
			s.Detail = fmt.Sprintf("the rule allows %v: %v", rule.Timeout, err)
		}
	case errors.Is(err, vlibcall.ErrReservation):
		s.Status = vlibcall.StatusUnpaid
	case errors.Is(err, vlibcall.ErrTooLarge):
		s.Status = vlibcall.StatusTooLarge
	case errors.Is(err, vlibcall.ErrGone), errors.Is(err, vlibcall.ErrProtocol), errors.Is(err, host.ErrNoDomain):
		s.Status = vlibcall.StatusGone
	}
	return s
}
