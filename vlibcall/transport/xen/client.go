// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/grant"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// clientEndpoint is Dom0's side of a channel.
type clientEndpoint struct {
	domain  *Domain
	request request
	beside  bool           // it was asked for on a control channel, beside xenstore: it has no node
	port    transport.Port // of the server
	dir     string         // of the server, in xenstore
	payment *payment       // nil: no reservation is charged
	changed chan struct{}  // the answer may be there, or the server or the domain is gone

	gone     atomic.Pointer[error]
	news     atomic.Uint64 // counts changes of the channel's node
	answered atomic.Bool   // the node's end is now the channel's
	again    atomic.Bool   // check whether the request is still there

	events *evtchn.Handle
	event  evtchn.Port
	header *grant.Mapping
	refs   []uint32 // of the data pages

	mu   sync.Mutex // data
	data *grant.Mapping

	once sync.Once
	err  error
}

// node is the channel's in xenstore.
func (e *clientEndpoint) node() string { return e.dir + channelsDir + "/" + e.request.String() }

// open makes the channel that a control channel has answered for, or that is asked for
// now (nil).
func (e *clientEndpoint) open(ctx context.Context, a *answer) (err error) {
	if e.events, err = e.domain.events.get(); err != nil {
		return err
	}
	e.beside = a != nil
	e.answered.Store(e.beside)
	if err := e.domain.add(e); err != nil {
		return errors.Join(err, e.domain.events.put(e.events, 0))
	}
	if a == nil {
		a = new(answer)
		*a, err = e.ask(ctx)
	}
	if err == nil {
		err = e.attach(*a)
	}
	if err != nil {
		return errors.Join(err, e.Close())
	}
	return nil
}

// askAgain is how often a Dial checks whether its request is still there.
const askAgain = time.Second

// ask makes the request and waits for the guest's answer, on a watch of the
// domain.
func (e *clientEndpoint) ask(ctx context.Context) (answer, error) {
	if err := e.domain.store.Mkdir(ctx, e.node()); err != nil {
		return answer{}, err
	}
	e.domain.asks.need()
	for {
		select {
		case <-e.changed:
		case <-ctx.Done():
			return answer{}, ctx.Err()
		}
		if err := e.Gone(); err != nil {
			return answer{}, err
		}
		if e.again.Swap(false) {
			if err := e.renew(ctx); err != nil {
				return answer{}, err
			}
		}
		news := e.news.Load()
		text, err := e.domain.store.Read(ctx, e.node()+answerNode)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return answer{}, err
		}
		if err, refused := parseRefusal(string(text)); refused {
			return answer{}, e.domain.refused(err)
		}
		a, err := parseAnswer(string(text))
		if err != nil {
			return answer{}, fmt.Errorf("%w: node %s: %w", vlibcall.ErrProtocol, e.node()+answerNode, err)
		}
		e.answered.Store(true)
		if e.news.Load() != news {
			// It changed while changes still counted as news of an answer.
			e.checkNode()
		}
		return a, nil
	}
}

func (d *Domain) refused(err error) error {
	return fmt.Errorf("the server in domain %d refused the channel: %w", d.id, err)
}

// remind makes the Dials that still wait check their requests.
func (d *Domain) remind() (more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.channels {
		if !e.answered.Load() {
			more = true
			e.again.Store(true)
			e.poke()
		}
	}
	return more
}

// renew makes the request again if a server that has started meanwhile removed
// it with its predecessor's nodes. The error says whether there is a server.
func (e *clientEndpoint) renew(ctx context.Context) error {
	if _, err := e.domain.server(ctx, e.port); err != nil {
		return err
	}
	_, err := e.domain.store.Read(ctx, e.node())
	if errors.Is(err, fs.ErrNotExist) {
		return e.domain.store.Mkdir(ctx, e.node())
	}
	return err
}

// attach maps the header page, binds the event channel and copies the
// directory. After an error Close undoes what attach has done.
func (e *clientEndpoint) attach(a answer) (err error) {
	e.event, err = e.events.BindInterdomain(e.domain.id, evtchn.Port(a.port))
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) {
		// EVTCHNOP_bind_interdomain: not a port, not free, not for this domain.
		return fmt.Errorf("%w: domain %d named an event channel that is not for Dom0: %w", vlibcall.ErrProtocol, e.domain.id, err)
	}
	if err != nil {
		return err
	}
	e.header, err = e.domain.mapper.Map(e.domain.id, []uint32{a.header}, true, &grant.Notify{
		Clear: true, Offset: transport.ClientAlive,
		Signal: true, Port: uint32(e.event),
	})
	if err != nil {
		return e.badGrant(err)
	}
	read := func(ref uint32, page []byte) error {
		return e.domain.mapper.Copy(e.domain.id, []grant.Segment{{Ref: ref, Local: page}})
	}
	if e.refs, err = readDirectory(a.directory, e.request.size/pageSize-1, read); err != nil {
		return e.badGrant(err)
	}
	if ref, twice := repeated(append(e.refs, a.header)); twice {
		return fmt.Errorf("%w: domain %d named grant reference %d for two pages of one channel", vlibcall.ErrProtocol, e.domain.id, ref)
	}
	return nil
}

// repeated finds a reference that occurs more than once.
func repeated(refs []uint32) (ref uint32, found bool) {
	seen := make(map[uint32]struct{}, len(refs))
	for _, ref := range refs {
		if _, ok := seen[ref]; ok {
			return ref, true
		}
		seen[ref] = struct{}{}
	}
	return 0, false
}

// badGrant reports that the guest named a page that Dom0 may not map: gntdev
// returns EINVAL for each refusal by Xen.
func (e *clientEndpoint) badGrant(err error) error {
	if ref := (*grant.RefError)(nil); errors.As(err, &ref) || errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w: domain %d named a page that it does not grant: %w", vlibcall.ErrProtocol, e.domain.id, err)
	}
	return err
}

// Payment implements transport.ClientEndpoint.
func (e *clientEndpoint) Payment() transport.Payment {
	if e.payment == nil {
		return nil
	}
	return e.payment
}

func (e *clientEndpoint) Header() []byte { return e.header.Bytes() }

func (e *clientEndpoint) Data() ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.data == nil {
		data, err := e.domain.mapper.Map(e.domain.id, e.refs, true, nil)
		if err != nil {
			return nil, e.badGrant(err)
		}
		e.data = data
	}
	return e.data.Bytes(), nil
}

func (e *clientEndpoint) Notify() error { return e.events.Notify(e.event) }
func (e *clientEndpoint) Interrupt()    { e.events.Interrupt() }

func (e *clientEndpoint) Wait(deadline time.Time) error {
	port, err := e.events.WaitUntil(deadline)
	if err != nil {
		return waitError(err)
	}
	return e.events.Unmask(port)
}

// waitError translates from package evtchn to package vlibcall.
func waitError(err error) error {
	switch {
	case errors.Is(err, evtchn.ErrInterrupted):
		return transport.ErrInterrupted
	case errors.Is(err, os.ErrClosed):
		return os.ErrClosed
	}
	return err
}

func (e *clientEndpoint) Gone() error {
	if p := e.gone.Load(); p != nil {
		return *p
	}
	return nil
}

// lost marks the channel as dead and wakes its waiters.
func (e *clientEndpoint) lost(why error) {
	e.gone.CompareAndSwap(nil, &why)
	e.poke()
	e.events.Interrupt()
}

func (e *clientEndpoint) poke() {
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

// answerChanged hears of the answer's node.
func (e *clientEndpoint) answerChanged() {
	if !e.answered.Load() {
		e.poke()
	}
}

// nodeChanged reports whether the guest may have removed the channel. A request that
// was removed is made again.
func (e *clientEndpoint) nodeChanged() bool {
	e.news.Add(1)
	return !e.beside && e.answered.Load()
}

// checkNode checks whether it has.
func (e *clientEndpoint) checkNode() {
	if _, err := e.domain.store.Read(e.domain.ctx, e.node()); errors.Is(err, fs.ErrNotExist) {
		e.lost(fmt.Errorf("%w: domain %d %s", vlibcall.ErrGone, e.domain.id, e.domain.end("was destroyed or its server closed the channel")))
	}
}

func (e *clientEndpoint) Close() error {
	e.once.Do(func() {
		e.domain.remove(e)
		e.payment.close()
		e.mu.Lock()
		defer e.mu.Unlock()
		var errs []error
		if e.data != nil {
			errs = append(errs, e.data.Unmap())
		}
		if e.header != nil {
			// The unmapping tells the server, which removes the node: the number
			// of nodes and their memory are the guest's.
			errs = append(errs, e.header.Unmap())
		} else if !e.beside {
			e.domain.work.Go(e.withdraw)
		}
		errs = append(errs, e.domain.events.put(e.events, e.event))
		e.err = errors.Join(errs...)
	})
	return e.err
}

// withdraw removes the node of a channel that was never mapped. The guest
// has no other sign that the client has left, and drops the channel after
// attachTimeout if this fails. It takes as long as xenstored is busy, so Close
// does not wait for it.
func (e *clientEndpoint) withdraw() {
	ctx, cancel := context.WithTimeout(e.domain.ctx, withdrawTimeout)
	defer cancel()
	e.domain.store.Remove(ctx, e.node())
}
