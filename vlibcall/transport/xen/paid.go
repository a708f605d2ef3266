// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// module is the hypervisor's, with the handle it is reached by.
type module struct {
	*vlib.Module
	xen *xenctl.Handle
}

// openModule is nil without an error where there is none.
func openModule() (*module, error) {
	h, err := xenctl.Open()
	if err != nil {
		return nil, err
	}
	m, err := vlib.Open(h)
	if errors.Is(err, vlib.ErrAbsent) {
		return nil, h.Close()
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return &module{m, h}, nil
}

func (m *module) Close() error {
	if m == nil {
		return nil
	}
	return m.xen.Close()
}

// admit prepares for a channel whose calls a reservation pays for, or nobody.
// It holds the gate open, so that the guest can make the channel, until
// release. parks says that the guest cannot listen by hypercall. dir is the
// server's directory in xenstore.
func (d *Domain) admit(ctx context.Context, dir string, reservation uint32) (parks bool, release func(), err error) {
	if d.module == nil {
		if reservation != 0 {
			return false, nil, fmt.Errorf("%w: %d: %w", vlibcall.ErrReservation, reservation, vlib.ErrAbsent)
		}
		return false, func() {}, nil
	}
	state, err := d.module.Domain(d.id)
	if errors.Is(err, vlib.ErrUnknown) {
		state, err = vlib.Domain{}, nil
	}
	if err != nil {
		return false, nil, err
	}
	gated := state.Flags&(vlib.Listens|vlib.Parks) != 0
	switch {
	case gated && reservation == 0:
		return false, nil, fmt.Errorf("%w: domain %d runs only for calls that one pays for: name one", vlibcall.ErrReservation, d.id)
	case !gated && reservation != 0:
		return false, nil, fmt.Errorf("%w: %d: the module was not told that domain %d listens or parks",
			vlibcall.ErrReservation, reservation, d.id)
	case !gated:
		return false, func() {}, nil
	}
	if err := d.allowUserMode(ctx, dir, state.Flags); err != nil {
		return false, nil, err
	}
	hold, err := d.module.Hold(d.id, dialTimeout)
	if err != nil {
		return false, nil, err
	}
	// A hold that is over, or whose domain is gone, needs no more.
	return state.Flags&vlib.Parks != 0, func() { d.module.Drop(d.id, hold) }, nil
}

// allowUserMode lets a server listen from user mode that says it does.
func (d *Domain) allowUserMode(ctx context.Context, dir string, flags vlib.DomainFlags) error {
	if flags&(vlib.Listens|vlib.UserMode) != vlib.Listens {
		return nil
	}
	text, err := d.store.Read(ctx, dir+"/listens")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil || string(text) != fromUserMode:
		return err
	}
	return d.module.SetDomain(d.id, vlib.UserMode, 0)
}

// Begin implements vlibcall.Payer. A reservation that is busy may be so with what
// this process has the answers to: those calls are ended then.
func (e *clientEndpoint) Begin(reservation uint32, request uint64, timeout time.Duration) error {
	if timeout == 0 || timeout > vlib.MaxTimeout {
		timeout = vlib.MaxTimeout
	}
	_, err := e.domain.module.Call(reservation, e.request(request), timeout)
	if errors.Is(err, vlib.ErrBusy) && answered.end(reservation) {
		_, err = e.domain.module.Call(reservation, e.request(request), timeout)
	}
	return err
}

func (e *clientEndpoint) request(number uint64) vlib.Request {
	return vlib.Request{Domain: e.domain.id, Port: uint32(e.port), Number: number}
}

// Urge implements vlibcall.Payer. A domain that parks has its gate open as long
// as it is at what was given up.
func (e *clientEndpoint) Urge(reservation uint32, request uint64, timeout time.Duration) error {
	if e.parks {
		if state, err := e.domain.module.Domain(e.domain.id); err != nil || state.Open {
			return err
		}
	}
	return e.Begin(reservation, request, timeout)
}

// End implements vlibcall.Payer.
func (e *clientEndpoint) End(reservation uint32, request uint64) error {
	if e.parks {
		return e.finish(reservation, request)
	}
	e.ending.watch(request)
	return nil
}

// finish ends the payment for a request that is answered.
func (e *clientEndpoint) finish(reservation uint32, request uint64) error {
	return overIsFine(e.domain.module.Finish(reservation, e.request(request)))
}

// GiveUp implements vlibcall.Payer.
func (e *clientEndpoint) GiveUp(reservation uint32, request uint64) error {
	return overIsFine(e.domain.module.Cancel(reservation, e.request(request)))
}

const (
	// listensAgain is how long a server may take from its answer to listening,
	// which ends the call. Who polls for the answer has it before that.
	listensAgain = time.Millisecond
	// atOnce is how long it takes as a rule. Then its CPU may be this one's,
	// or an emulator's that runs one at a time.
	atOnce = 10 * time.Microsecond
)

// Cost implements vlibcall.Payer. A server that does something else after its
// answer is paid for no longer.
func (e *clientEndpoint) Cost(reservation uint32, request uint64) (vlibcall.Cost, error) {
	r, err := e.domain.module.Reservation(reservation)
	for begun := time.Now(); err == nil && !r.Call.Over() && time.Since(begun) < listensAgain; {
		if time.Since(begun) > atOnce {
			time.Sleep(atOnce)
		}
		r, err = e.domain.module.Reservation(reservation)
	}
	if err == nil && !r.Call.Over() {
		if err = e.finish(reservation, request); err == nil {
			r, err = e.domain.module.Reservation(reservation)
		}
	}
	if err == nil && (r.Port != uint32(e.port) || r.Request != request) {
		return vlibcall.Cost{}, fmt.Errorf("reservation %d has been used for another call since", reservation)
	}
	return vlibcall.Cost{
		Queued: r.Queued, Foreground: r.Cost.Foreground, Background: r.Cost.Background,
		Throttled: r.Cost.Throttled, Deschedules: r.Cost.Deschedules,
	}, err
}

// overIsFine: the module may have ended the call itself.
func overIsFine(err error) error {
	if errors.Is(err, vlib.ErrNoCall) {
		return nil
	}
	return err
}
