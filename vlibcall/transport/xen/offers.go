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
		id, ok := parseChannelID(strings.TrimPrefix(ev.Path, l.dir+"/request/"))
		if ok {
			l.look(id)
			continue
		}
		names, err := l.store.Directory(l.ctx, l.dir+"/request")
		if errors.Is(err, fs.ErrNotExist) && l.restore() {
			return
		}
		if err != nil {
			continue
		}
		for _, name := range names {
			if id, ok := parseChannelID(name); ok {
				l.look(id)
			}
		}
	}
}

// look makes the channel of a new request, and marks the channel of a removed
// one.
func (l *Listener) look(id channelID) {
	text, err := l.store.Read(l.ctx, l.dir+"/request/"+id.String())
	l.mu.Lock()
	e := l.byID[id]
	l.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist) && e != nil:
		e.leave()
	case err == nil && e == nil:
		a, err := l.offer(id, string(text))
		value := a.String()
		if err != nil {
			value = refusal(err)
		}
		if err := l.store.Write(l.ctx, l.dir+"/channel/"+id.String(), []byte(value)); err != nil {
			l.drop(id) // the client times out
		}
	}
}

// drop gives up a channel of which its client will not learn.
func (l *Listener) drop(id channelID) {
	l.mu.Lock()
	e := l.byID[id]
	l.mu.Unlock()
	if e != nil {
		e.leave()
	}
}

// offer allocates a channel.
func (l *Listener) offer(id channelID, text string) (a answer, err error) {
	r, err := parseRequest(text)
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
	e := &serverEndpoint{l: l, id: id, pages: pages}
	if err := transport.Format(e.Header(), r.size, r.generation); err != nil {
		return a, errors.Join(err, pages.Free())
	}
	refs := pages.Refs()
	data, _ := e.Data()
	writeDirectory(data, refs[1:])
	if e.port, err = l.events.BindUnbound(clientDomain); err != nil {
		return a, errors.Join(err, pages.Free())
	}
	err = pages.SetNotify(grant.Notify{
		Clear: true, Offset: transport.ServerAlive,
		Signal: true, Port: uint32(e.port),
	})
	if err == nil {
		err = l.add(e)
	}
	if err != nil {
		return a, errors.Join(err, l.events.Unbind(e.port), pages.Free())
	}
	return answer{header: refs[0], directory: refs[1], port: uint32(e.port)}, nil
}

func (l *Listener) add(e *serverEndpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return os.ErrClosed
	}
	l.byID[e.id] = e
	l.byPort[e.port] = e
	e.attach = time.AfterFunc(attachTimeout, e.expire)
	return nil
}

// pass gives a channel to the server's goroutine.
func (l *Listener) pass(e *serverEndpoint) {
	l.mu.Lock()
	l.over = append(l.over, e)
	l.mu.Unlock()
	l.events.Interrupt()
}

// forget removes a closed channel from the lists and from xenstore. It reports
// whether the channel's port was another domain's.
func (l *Listener) forget(e *serverEndpoint) (restored bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, e.id)
	delete(l.byPort, e.port)
	if l.closed || l.restored {
		return l.restored // the whole directory goes
	}
	l.work.Go(func() {
		// Nodes that remain, because xenstored is gone, cost nothing.
		l.store.Remove(l.ctx, l.dir+"/request/"+e.id.String())
		l.store.Remove(l.ctx, l.dir+"/channel/"+e.id.String())
	})
	return false
}
