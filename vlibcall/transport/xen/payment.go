// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// module is the hypervisor's module, and the handle through which it is used.
type module struct {
	*vlib.Module
	xen *xenctl.Handle
}

// openModule returns nil without an error where there is none.
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

// admit checks whether a channel on a reservation (0: on none) is possible, and
// opens the domain's gate until release, so that the guest can make the
// channel. parks reports that the guest cannot listen by hypercall. dir is the
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
		return false, nil, fmt.Errorf("%w: domain %d runs only for calls that a reservation pays for: name one", vlibcall.ErrReservation, d.id)
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
	// A hold that has ended, or whose domain is gone, needs no Drop.
	return state.Flags&vlib.Parks != 0, func() { d.module.Drop(d.id, hold) }, nil
}

// allowUserMode lets a server listen from user mode, if it announces that it
// does.
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

// callOp is the module's Call or CallAndWait.
type callOp func(uint32, vlib.Request, time.Duration) (vlib.CallState, error)

// payment implements transport.Payment with the module.
type payment struct {
	module      *module
	domain      uint16
	port        evtchn.Port // of the channel, once bound
	reservation uint32
	parks       bool // the guest cannot report the end of a call
	ending      ending
	call        callOp

	// The calls that may be under way: of several requests in flight, the module has
	// one that is active and one in the queue.
	begun  [transport.MaxInFlight]uint64
	begins int // entries of begun
}

func newPayment(m *module, domain uint16, reservation uint32, parks bool) *payment {
	p := &payment{module: m, domain: domain, reservation: reservation, parks: parks, call: m.Call}
	p.ending.finish = p.finish
	answered.add(reservation, &p.ending)
	return p
}

// blockCPU makes Begin wait for the answer, if the module can.
func (p *payment) blockCPU() {
	if info, err := p.module.Info(); err == nil && info.Module >= vlib.WaitsSince {
		p.call = p.module.CallAndWait
	}
}

// close ends the charge. There may be no payment (nil).
func (p *payment) close() {
	if p != nil {
		p.ending.close()
		answered.remove(p.reservation, &p.ending)
	}
}

// Begin implements transport.Payment. If the reservation is busy, this may be
// with calls whose answers this process has: those are ended.
func (p *payment) Begin(request uint64, timeout time.Duration) error {
	return p.begin(p.call, request, timeout)
}

func (p *payment) begin(call callOp, request uint64, timeout time.Duration) error {
	if timeout == 0 || timeout > vlib.MaxTimeout {
		timeout = vlib.MaxTimeout
	}
	if p.begins == len(p.begun) {
		p.begins = copy(p.begun[:], p.begun[1:])
	}
	p.begun[p.begins] = request
	p.begins++
	_, err := call(p.reservation, p.request(request), timeout)
	if errors.Is(err, vlib.ErrBusy) && answered.end(p.reservation) {
		_, err = call(p.reservation, p.request(request), timeout)
	}
	return err
}

func (p *payment) request(number uint64) vlib.Request {
	return vlib.Request{Domain: p.domain, Port: uint32(p.port), Number: number}
}

// Urge implements transport.Payment. The gate of a domain that parks stays open
// while it serves an abandoned request.
func (p *payment) Urge(request uint64, timeout time.Duration) error {
	if p.parks {
		if state, err := p.module.Domain(p.domain); err != nil || state.Open {
			return err
		}
	}
	return p.begin(p.module.Call, request, timeout)
}

// End implements transport.Payment.
func (p *payment) End(request uint64) error {
	over := 0
	for over < p.begins && p.begun[over] <= request {
		over++
	}
	p.begins = copy(p.begun[:], p.begun[over:p.begins])
	if p.parks {
		return p.finish(request)
	}
	p.ending.watch(request)
	return nil
}

// finish ends the charge for an answered request.
func (p *payment) finish(request uint64) error {
	return overIsFine(p.module.Finish(p.reservation, p.request(request)))
}

// GiveUp implements transport.Payment.
func (p *payment) GiveUp() (err error) {
	for _, request := range p.begun[:p.begins] {
		err = errors.Join(err, overIsFine(p.module.Cancel(p.reservation, p.request(request))))
	}
	p.begins = 0
	return err
}

const (
	// listensAgain is how long a server may take from its answer until it
	// listens, which ends the call. A client that polls has the answer before
	// that.
	listensAgain = time.Millisecond
	// atOnce is how long that usually takes. If it takes longer, the server may
	// need the CPU of this thread, or run in an emulator that runs one CPU at a
	// time.
	atOnce = 10 * time.Microsecond
)

// Cost implements transport.Payment. It ends the charge of a server that does
// something else after its answer.
func (p *payment) Cost(request uint64) (transport.Cost, error) {
	r, err := p.module.Reservation(p.reservation)
	for begun := time.Now(); err == nil && !r.Call.Over() && time.Since(begun) < listensAgain; {
		if time.Since(begun) > atOnce {
			time.Sleep(atOnce)
		}
		r, err = p.module.Reservation(p.reservation)
	}
	if err == nil && !r.Call.Over() {
		if err = p.finish(request); err == nil {
			r, err = p.module.Reservation(p.reservation)
		}
	}
	if err == nil && (r.Port != uint32(p.port) || r.Request != request) {
		return transport.Cost{}, fmt.Errorf("reservation %d has been used for another call since", p.reservation)
	}
	return transport.Cost{
		Queued: r.Queued, Foreground: r.Cost.Foreground, Background: r.Cost.Background,
		Throttled: r.Cost.Throttled, Deschedules: r.Cost.Deschedules,
		Occupied: r.Memory.Occupied, Moved: r.Memory.Moved, OccupiedKnown: r.Memory.OccupiedKnown, MovedKnown: r.Memory.MovedKnown,
	}, err
}

// overIsFine ignores that a call has ended: the module may have ended it
// itself.
func overIsFine(err error) error {
	if errors.Is(err, vlib.ErrNoCall) {
		return nil
	}
	return err
}
