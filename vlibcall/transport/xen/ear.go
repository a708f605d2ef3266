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

// ear is how a server listens through the hypervisor's module: the domain is off
// every CPU until it is called, and what it executes for a call is charged to the
// caller's reservation. Only the server's goroutine uses it.
type ear struct {
	listen   func(vlib.Served) (uint32, error)
	complete func(vlib.Served) error
	close    func() error
	manner   string

	fromUserMode bool // by an instruction that the kernel does not see

	served vlib.Served // the request that it took up, or the call that the module named
	turns  int
}

// eventsEvery is how many times it listens before it looks at events first: a
// server that is called without a pause must still see that channels were closed.
const eventsEvery = 16

// openEar finds a way to the module: by the kernel's device, which needs
// xen-privcmd's unrestricted=1, or by an instruction, which a PVH guest may
// use. Else it says why there is none.
func openEar() (*ear, error) {
	h, err := xenctl.Open()
	if err == nil {
		var m *vlib.Module
		if m, err = vlib.Open(h); err == nil {
			return &ear{listen: m.Listen, complete: m.Complete, close: h.Close, manner: "by hypercall"}, nil
		}
		err = errors.Join(err, h.Close())
	}
	if errors.Is(err, vlib.ErrAbsent) {
		return nil, err
	}
	d, derr := vlib.OpenDirect()
	if derr == nil {
		_, derr = d.Version()
	}
	if derr != nil {
		return nil, fmt.Errorf("%w (xen_privcmd.unrestricted=1 on the guest kernel's command line allows it); %w", err, derr)
	}
	return &ear{listen: d.Listen, complete: d.Complete, close: func() error { return nil }, manner: "by hypercall from user mode", fromUserMode: true}, nil
}

// Manner says how this server listens.
func (l *Listener) Manner() string {
	if l.ear == nil {
		return fmt.Sprintf("by events (%v)", l.deaf)
	}
	return l.ear.manner
}

// hear ends the request that the server was at, and waits until the domain is
// called. A nil endpoint without an error says to wait for events.
func (l *Listener) hear() (*serverEndpoint, error) {
	r := l.ear
	if r == nil {
		return nil, nil
	}
	served := r.served
	r.served = vlib.Served{}
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

// refused is nil where Dom0 has not told the module of this domain: then there is
// no call to end.
func (l *Listener) refused(err error, served vlib.Served) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if served.Signal {
		return l.events.Notify(evtchn.Port(served.Port))
	}
	return nil
}

// end says that the server is done with a request, and does not listen yet.
func (l *Listener) end(served vlib.Served) error {
	if served.Port == 0 {
		return nil
	}
	return l.refused(l.ear.complete(served), served)
}

// flush is end for a Wait that returns without listening.
func (l *Listener) flush() error {
	r := l.ear
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

// Begin implements transport.ServerEndpoint. An event without a request, of a
// channel that was just opened for example, begins nothing that the server could
// end: a call may have come since it looked, and would end unserved.
func (e *serverEndpoint) Begin(request uint64) error {
	if r := e.l.ear; r != nil {
		r.served = vlib.Served{Port: uint32(e.port), Number: request}
	}
	return nil
}

// End implements transport.ServerEndpoint: the next Wait says it.
func (e *serverEndpoint) End() {}

// NotifyLate implements transport.ServerEndpoint.
func (e *serverEndpoint) NotifyLate() error {
	if r := e.l.ear; r != nil && r.served.Port == uint32(e.port) {
		r.served.Signal = true
		return nil
	}
	return e.Notify()
}
