// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/vlibos/vlibos/grant"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

const (
	// dialTimeout bounds a Dial whose context has no deadline.
	dialTimeout = 10 * time.Second
	// withdrawTimeout limits the work in the background after a failed Dial.
	withdrawTimeout = 30 * time.Second
)

// Domain reaches the vLib OS servers of one guest from Dom0. It implements
// transport.Dialer, is safe for concurrent use, and must outlive the channels
// opened through it.
type Domain struct {
	id     uint16
	store  *xenstore.Client
	own    bool // store is closed with the domain
	mapper *grant.Mapper
	events handles         // of channels that were closed
	module *module         // nil where the hypervisor has none
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // watching, withdrawing
	asks   rounds         // of Dials that wait for an answer

	watching sync.Mutex                  // held during requests to xenstored about watches
	watched  map[transport.Port]struct{} // ports whose channel nodes are watched

	mu       sync.Mutex // never held during requests to xenstored
	channels map[channelID]*clientEndpoint
	servers  map[transport.Port]*server // whose directory has not changed since
	restarts uint64                     // changes of such directories
	gone     error                      // set once the domain is gone
}

// Open prepares for channels to the guest domid. The caller closes it.
func Open(ctx context.Context, domid uint16) (*Domain, error) {
	store, err := xenstore.Open(ctx)
	if err != nil {
		return nil, err
	}
	d, err := OpenBy(ctx, store, domid)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	d.own = true
	return d, nil
}

// OpenBy is Open on the caller's connection to xenstored, which the caller
// closes after the Domain.
func OpenBy(ctx context.Context, store *xenstore.Client, domid uint16) (*Domain, error) {
	mapper, err := grant.OpenMapper()
	if err != nil {
		return nil, err
	}
	module, err := openModule()
	if err != nil {
		return nil, errors.Join(err, mapper.Close())
	}
	d := &Domain{
		id: domid, store: store, mapper: mapper, module: module,
		watched:  make(map[transport.Port]struct{}),
		channels: make(map[channelID]*clientEndpoint),
		servers:  make(map[transport.Port]*server),
	}
	d.asks = rounds{every: askAgain, f: d.remind}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	w, err := store.Watch(ctx, "@releaseDomain")
	if err != nil {
		d.Close()
		return nil, err
	}
	d.work.Go(func() { d.watchLife(w) })
	return d, nil
}

// Close frees what Open made. Channels must be closed first.
func (d *Domain) Close() error {
	d.asks.close()
	d.cancel()
	d.work.Wait()
	for port := range d.servers {
		d.forgetServer(port)
	}
	err := errors.Join(d.events.close(), d.mapper.Close(), d.module.Close())
	if d.own {
		err = errors.Join(err, d.store.Close())
	}
	return err
}

// Dial implements transport.Dialer. No server on that port, or no such
// domain, is vlibcall.ErrGone; a server that does not answer within ctx or
// ten seconds vlibcall.ErrTimeout.
func (d *Domain) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	e, err := d.dial(ctx, o)
	switch {
	case err == nil:
		return e, nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil, fmt.Errorf("%w: the server in domain %d, or xenstored, did not answer the request for a channel (%w)", vlibcall.ErrTimeout, d.id, err)
	}
	return nil, err
}

func (d *Domain) dial(ctx context.Context, o transport.Offer) (*clientEndpoint, error) {
	dir := home(d.id) + serverDir(o.Port)
	parks, release, err := d.admit(ctx, dir, uint32(o.Reservation))
	if err != nil {
		return nil, err
	}
	defer release()
	if err := d.watchPort(ctx, o.Port); err != nil {
		return nil, err
	}
	s, err := d.greet(ctx, o)
	if err != nil {
		return nil, err
	}
	e := d.endpoint(o)
	a, err := d.further(ctx, s, e.request, o.Port)
	if err != nil {
		return nil, err
	}
	if a == nil {
		e.request.id = channelID(rand.Uint64()) // the server may have a channel with the other
	}
	if err := e.open(ctx, a); err != nil {
		return nil, err
	}
	if o.Reservation != 0 {
		e.payment = newPayment(d.module, d.id, uint32(o.Reservation), parks)
		e.payment.port = e.event
		if o.BlockCPU {
			e.payment.blockCPU()
		}
	}
	return e, nil
}

func (d *Domain) endpoint(o transport.Offer) *clientEndpoint {
	return &clientEndpoint{
		domain: d, port: o.Port, dir: home(d.id) + serverDir(o.Port),
		request: request{id: channelID(rand.Uint64()), revision: transport.Revision, size: o.Size, generation: o.Generation},
		changed: make(chan struct{}, 1),
	}
}

func (d *Domain) add(e *clientEndpoint) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone != nil {
		return d.gone
	}
	d.channels[e.request.id] = e
	return nil
}

func (d *Domain) remove(e *clientEndpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.channels, e.request.id)
}

func (d *Domain) channel(id channelID) *clientEndpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.channels[id]
}

// all returns the channels in directory dir.
func (d *Domain) all(dir string) []*clientEndpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	var es []*clientEndpoint
	for _, e := range d.channels {
		if e.dir == dir {
			es = append(es, e)
		}
	}
	return es
}
