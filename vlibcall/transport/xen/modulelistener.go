// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
)

// moduleListener listens through the hypervisor's module: the domain is off every
// CPU until it is called, and what it executes for a call is charged to the
// caller's reservation. Only the server's goroutine uses it.
type moduleListener struct {
	listen   func(vlib.Served) (uint32, error)
	complete func(vlib.Served) error
	close    func() error
	manner   string

	served vlib.Served // the request that it began, or the call that the module reported
	turns  int
}

// skipped is how many turns follow a refusal.
const skipped = 64

// eventsEvery is how many times it listens before it checks events first: a server
// that is called without a pause must still notice closed channels.
const eventsEvery = 16

// openModuleListener reaches the module through the kernel's device, which needs
// xen-privcmd's unrestricted=1, or by an instruction that the kernel does not see, which
// a PVH guest may use; fromUserMode says so, and is also known where the module is absent.
// The error says why neither is possible.
func openModuleListener() (_ *moduleListener, fromUserMode bool, err error) {
	h, err := xenctl.Open()
	if err == nil {
		var m *vlib.Module
		if m, err = vlib.Open(h); err == nil {
			return &moduleListener{listen: m.Listen, complete: m.Complete, close: h.Close, manner: "by hypercall"}, false, nil
		}
		err = errors.Join(err, h.Close())
	}
	if errors.Is(err, vlib.ErrAbsent) {
		return nil, false, err
	}
	d, derr := vlib.OpenDirect()
	if derr == nil {
		_, derr = d.Version()
	}
	if derr != nil {
		return nil, errors.Is(derr, vlib.ErrAbsent), fmt.Errorf("%w (xen_privcmd.unrestricted=1 on the guest kernel's command line allows it); %w", err, derr)
	}
	return &moduleListener{listen: d.Listen, complete: d.Complete, close: func() error { return nil }, manner: "by hypercall from user mode"}, true, nil
}

// Manner describes how this server listens.
func (l *Listener) Manner() string {
	if l.module == nil {
		return fmt.Sprintf("by events (%v)", l.noModule)
	}
	return l.module.manner
}

// awaitCall ends the request that the server has served, and waits until the
// domain is called. A nil endpoint without an error means to wait for events: always
// if there is a deadline, since the server has something to do then.
func (l *Listener) awaitCall(deadline time.Time) (*serverEndpoint, error) {
	if !deadline.IsZero() {
		return nil, nil
	}
	if l.module == nil && l.skips.CompareAndSwap(0, 1) && errors.Is(l.noModule, vlib.ErrAbsent) {
		if l.module, _, l.noModule = openModuleListener(); l.module != nil { // a live patch
			l.skips.Store(0)
		}
	}
	r := l.module
	if r == nil {
		return nil, nil
	}
	served := r.served
	r.served = vlib.Served{}
	if l.skips.Load() > 0 {
		l.skips.Add(-1)
		return nil, l.signal(served)
	}
	if r.turns++; r.turns%eventsEvery == 0 {
		e, err := l.event(time.Unix(0, 1))
		if e != nil || errors.Is(err, evtchn.ErrInterrupted) {
			return e, errors.Join(err, l.end(served))
		}
	}
	port, err := r.listen(served)
	switch {
	case err == nil:
		// If its channel has no request, the next listen ends that call.
		r.served = vlib.Served{Port: port}
		if e := l.at(evtchn.Port(port)); e != nil {
			return e, nil
		}
		return nil, evtchn.ErrInterrupted // the channel was closed: the next turn ends its call
	case errors.Is(err, vlib.ErrOpen):
		return nil, nil
	}
	return nil, l.refused(err, served)
}

// refused is nil if the module does not know this domain, or if the domain has
// migrated to a hypervisor without the module: then there is no call to end.
func (l *Listener) refused(err error, served vlib.Served) error {
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, vlib.ErrAbsent) {
		return err
	}
	l.skips.Store(skipped)
	return l.signal(served)
}

// signal signals the client of a served request, if it waits.
func (l *Listener) signal(served vlib.Served) error {
	if !served.Signal {
		return nil
	}
	return l.events.Notify(evtchn.Port(served.Port))
}

// end reports that the server has finished a request, and does not listen yet.
func (l *Listener) end(served vlib.Served) error {
	if served.Port == 0 {
		return nil
	}
	return l.refused(l.module.complete(served), served)
}

// flush is end for a Wait that returns without listening.
func (l *Listener) flush() error {
	r := l.module
	if r == nil {
		return nil
	}
	served := r.served
	r.served = vlib.Served{}
	return l.end(served)
}

func (l *Listener) at(port evtchn.Port) *serverEndpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byPort[port]
}

// Begin implements transport.ServerEndpoint. An event without a request, for
// example of a new channel, begins nothing that the server could end: a call that
// has arrived since would end unserved.
func (e *serverEndpoint) Begin(request uint64) error {
	if r := e.module(); r != nil {
		if r.served.Signal { // no wait came in between
			e.events.Notify(evtchn.Port(r.served.Port)) // a client that cannot be signalled is gone
		}
		r.served = vlib.Served{Port: uint32(e.port), Number: request}
	}
	return nil
}

// module is that through which the endpoint's server listens; nil: it waits for events.
func (e *serverEndpoint) module() *moduleListener {
	if e.inbox != &e.l.inbox {
		return nil
	}
	return e.l.module
}

// End implements transport.ServerEndpoint: the next Wait reports it.
func (e *serverEndpoint) End(uint64) {}

// NotifyLate implements transport.ServerEndpoint.
func (e *serverEndpoint) NotifyLate() error {
	if r := e.module(); r != nil && r.served.Port == uint32(e.port) && e.l.skips.Load() <= 0 {
		r.served.Signal = true
		return nil
	}
	return e.Notify()
}
