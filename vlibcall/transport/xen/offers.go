// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/vlibos/vlibos/grant"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// accept answers requests until Close.
func (l *Listener) accept(w *xenstore.Watch) {
	for {
		ev, err := w.Next(l.ctx)
		if err != nil {
			return // closed, or xenstored died: open channels continue
		}
		name, below := strings.CutPrefix(ev.Path, l.dir+channelsDir+"/")
		if below {
			if id, ok := requestID(name); ok {
				l.look(id, name)
			}
			continue
		}
		names, err := l.store.Directory(l.ctx, l.dir+channelsDir)
		if errors.Is(err, fs.ErrNotExist) && l.restore() {
			return
		}
		if err != nil {
			continue
		}
		for _, name := range names {
			if id, ok := requestID(name); ok {
				l.look(id, name)
			}
		}
	}
}

// concerned reports whether a changed node is the directory, or that of a request. The
// change of one whose channel has ended is its removal, which ends its last trace.
func (l *Listener) concerned(path string) bool {
	name, below := strings.CutPrefix(path, l.dir+channelsDir+"/")
	if !below {
		return true
	}
	id, ok := requestID(name)
	if !ok {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, over := l.ended[id]
	delete(l.ended, id)
	return !over
}

// look makes the channel of a new request, and marks the channel of a removed
// one.
func (l *Listener) look(id channelID, name string) {
	l.mu.Lock()
	e := l.byID[id]
	_, over := l.ended[id]
	l.mu.Unlock()
	switch {
	case over:
	case e != nil:
		if _, err := l.store.Read(l.ctx, l.node(name)); errors.Is(err, fs.ErrNotExist) {
			e.withdrawn.Store(true)
			e.leave()
		}
	default:
		a, err := l.offer(name, l.node(name))
		value := a.String()
		if err != nil {
			value = refusal(err)
			l.mu.Lock()
			l.ended[id] = struct{}{} // its client removes it
			l.mu.Unlock()
		}
		if err := l.store.Write(l.ctx, l.node(name)+answerNode, []byte(value)); err != nil {
			l.drop(id) // the client times out
		}
	}
}

// node is that of a request, by its name.
func (l *Listener) node(name string) string { return l.dir + channelsDir + "/" + name }

// drop gives up a channel of which its client will not learn.
func (l *Listener) drop(id channelID) {
	l.mu.Lock()
	e := l.byID[id]
	l.mu.Unlock()
	if e != nil {
		e.leave()
	}
}

// offer allocates the channel of a request. Node is in xenstore; empty: there is none.
func (l *Listener) offer(name, node string) (a answer, err error) {
	r, err := parseRequest(name)
	if err != nil {
		return a, fmt.Errorf("%w: %w", vlibcall.ErrBadRequest, err)
	}
	if r.size > MaxSize {
		return a, fmt.Errorf("%w: %d bytes, this server grants at most %d", vlibcall.ErrTooLarge, r.size, MaxSize)
	}
	pages, err := l.alloc.Alloc(clientDomain, r.size/pageSize, true)
	if errors.Is(err, grant.ErrLimit) {
		return a, &vlibcall.StatusError{Status: vlibcall.StatusTooLarge, Detail: err.Error()}
	}
	if err != nil {
		return a, err
	}
	e := &serverEndpoint{inbox: &l.inbox, id: r.id, node: node, pages: pages}
	if r.control {
		e.inbox = &l.control
	}
	if err := transport.Format(e.Header(), r.size, r.generation); err != nil {
		return a, errors.Join(err, pages.Free())
	}
	refs := pages.Refs()
	data, _ := e.Data()
	writeDirectory(data, refs[1:])
	if e.port, err = e.events.BindUnbound(clientDomain); err != nil {
		return a, errors.Join(err, pages.Free())
	}
	err = pages.SetNotify(grant.Notify{
		Clear: true, Offset: transport.ServerAlive,
		Signal: true, Port: uint32(e.port),
	})
	if err == nil {
		err = l.add(e)
	}
	if errors.Is(err, transport.ErrRestored) {
		return a, errors.Join(err, pages.Free())
	}
	if err != nil {
		return a, errors.Join(err, e.events.Unbind(e.port), pages.Free())
	}
	return answer{header: refs[0], directory: refs[1], port: uint32(e.port)}, nil
}

func (l *Listener) add(e *serverEndpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return os.ErrClosed
	}
	if l.restored {
		// The event channel with its number may be another's by now.
		return errors.Join(transport.ErrRestored, e.pages.SetNotify(grant.Notify{}))
	}
	if l.byID[e.id] != nil {
		return fmt.Errorf("%w: channel %v exists", vlibcall.ErrBadRequest, e.id)
	}
	l.skips.Store(0)
	l.byID[e.id] = e
	l.byPort[e.port] = e
	e.made = time.Now()
	l.attaching.need()
	return nil
}

// forget removes a closed channel from the lists and from xenstore. It reports
// whether the channel's port was another domain's.
func (l *Listener) forget(e *serverEndpoint) (restored bool) {
	restored, remains := l.unlist(e)
	if remains {
		l.store.Discard(e.node) // a node that remains, because xenstored is gone, costs nothing
	}
	return restored
}

// unlist reports also whether the channel's node remains in xenstore.
func (l *Listener) unlist(e *serverEndpoint) (restored, remains bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, e.id)
	delete(l.byPort, e.port)
	if l.closed || l.restored {
		return l.restored, false // the whole directory goes
	}
	if e.node == "" || e.withdrawn.Load() {
		return false, false
	}
	l.ended[e.id] = struct{}{}
	return false, true
}
