// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/grant"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// clientDomain is the domain that this guest grants its channels to.
const clientDomain = 0

// storeTimeout limits one exchange with xenstored.
const storeTimeout = 30 * time.Second

// MaxSize of a channel that a Listener grants, in bytes. The guest's gntalloc
// limit may allow less.
const MaxSize = 64 << 20

// Listener is the server's side in a guest. It implements transport.Listener.
type Listener struct {
	inbox         // of the channels for calls
	control inbox // of those by which Dom0 asks for further channels

	dir      string
	store    *xenstore.Client
	alloc    *grant.Allocator
	module   *moduleListener // nil: it waits for events only,
	noModule error           // for this reason
	// skips is how many turns wait for events only, because the module does not let this
	// domain listen, or all turns where there is none. A new channel ends them: Dom0 loads
	// the module, and allows a domain to listen, before it opens the first channel on a
	// reservation.
	skips     atomic.Int32
	work      sync.WaitGroup
	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	attaching rounds // of channels whose clients have not come

	mu       sync.Mutex
	byID     map[channelID]*serverEndpoint
	byPort   map[evtchn.Port]*serverEndpoint
	ended    map[channelID]struct{} // whose nodes are about to be removed
	restored bool                   // this domain has become another one
	closed   bool
}

// Listen announces a server on port of this guest. It removes the nodes of an
// earlier server on that port from xenstore: that server's channels end.
func Listen(ctx context.Context, port transport.Port) (_ *Listener, err error) {
	l := &Listener{
		dir:    serverDir(port),
		byID:   make(map[channelID]*serverEndpoint),
		byPort: make(map[evtchn.Port]*serverEndpoint),
		ended:  make(map[channelID]struct{}),
	}
	l.inbox.l, l.control.l = l, l
	l.attaching = rounds{every: attachTimeout / 2, f: l.expire}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			l.release()
		}
	}()
	if l.store, err = xenstore.Open(ctx); err != nil {
		return nil, err
	}
	if l.alloc, err = grant.OpenAllocator(); err != nil {
		return nil, err
	}
	for _, b := range []*inbox{&l.inbox, &l.control} {
		if b.events, err = evtchn.Open(); err != nil {
			return nil, err
		}
	}
	var userMode bool
	l.module, userMode, l.noModule = openModuleListener()
	if err = l.store.Remove(ctx, l.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// The directory must be the guest's own before Dom0 writes below it: a
	// new node inherits its parent's owner.
	if err = l.store.Mkdir(ctx, l.dir+channelsDir); err != nil {
		return nil, err
	}
	w, err := l.store.WatchFor(ctx, l.dir+channelsDir, l.concerned)
	if err != nil {
		return nil, err
	}
	if userMode {
		if err = l.store.Write(ctx, l.dir+"/listens", []byte(fromUserMode)); err != nil {
			return nil, err
		}
	}
	if err = l.store.Write(ctx, l.dir+"/server", []byte(greeting{transport.Revision, MaxSize}.String())); err != nil {
		return nil, err
	}
	l.work.Go(func() { l.accept(w) })
	l.work.Go(l.further)
	return l, nil
}

// Wait implements transport.Listener.
func (l *Listener) Wait(deadline time.Time) (transport.ServerEndpoint, error) {
	for {
		if e, err := l.handed(); e != nil || err != nil {
			if err = errors.Join(l.flush(), err); err != nil {
				return nil, err
			}
			return e, nil
		}
		switch e, err := l.awaitCall(deadline); {
		case errors.Is(err, evtchn.ErrInterrupted):
			continue
		case err != nil:
			return nil, err
		case e != nil:
			return e, nil
		}
		e, err := l.event(deadline)
		if errors.Is(err, evtchn.ErrInterrupted) {
			continue // handed knows the reason
		}
		if err != nil {
			return nil, waitError(err)
		}
		if e != nil { // else an event that was queued when its channel closed
			return e, nil
		}
	}
}

// Close implements transport.Listener. It removes the server's nodes from
// xenstore.
func (l *Listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	es := make([]*serverEndpoint, 0, len(l.byID))
	for _, e := range l.byID {
		es = append(es, e)
	}
	l.mu.Unlock()
	l.cancel()
	l.work.Wait()
	var errs []error
	for _, e := range es {
		errs = append(errs, e.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	if err := l.store.Remove(ctx, l.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(append(errs, l.release())...)
}

// release closes what Listen has opened so far.
func (l *Listener) release() error {
	l.attaching.close()
	l.cancel()
	var errs []error
	if l.module != nil {
		errs = append(errs, l.module.close())
	}
	for _, b := range []*inbox{&l.inbox, &l.control} {
		if b.events != nil {
			errs = append(errs, b.events.Close())
		}
	}
	if l.alloc != nil {
		errs = append(errs, l.alloc.Close())
	}
	if l.store != nil {
		errs = append(errs, l.store.Close())
	}
	return errors.Join(errs...)
}

// Available reports whether this machine is a Xen domain whose kernel lets a
// process listen; the error names the missing device.
func Available() error {
	for _, dev := range []string{"/dev/xen/evtchn", "/dev/xen/gntalloc", "/dev/xen/xenbus"} {
		if _, err := os.Stat(dev); err != nil {
			return err
		}
	}
	return nil
}
