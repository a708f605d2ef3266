// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// watchPort ensures that the channel nodes of a port are watched. One watch
// serves all channels, since xenstored searches its list of watches at each
// write.
func (d *Domain) watchPort(ctx context.Context, port transport.Port) error {
	d.watching.Lock()
	defer d.watching.Unlock()
	if _, ok := d.watched[port]; ok {
		return nil
	}
	dir := home(d.id) + serverDir(port)
	w, err := d.store.WatchFor(ctx, dir+channelsDir, func(path string) bool { return d.concerned(dir, path) })
	if err != nil {
		return err
	}
	if _, err := w.Next(ctx); err != nil { // the first event, which is no news
		return errors.Join(err, w.Close())
	}
	d.watched[port] = struct{}{}
	d.work.Go(func() { d.watchChannels(w, dir, port) })
	return nil
}

func (d *Domain) watchChannels(w *xenstore.Watch, dir string, port transport.Port) {
	defer w.Close()
	for {
		ev, err := w.Next(d.ctx)
		if err != nil {
			return // closed, or xenstored died: calls continue without it
		}
		if ev.Path == dir+channelsDir {
			d.forgetServer(port)
			for _, e := range d.all(dir) {
				if e.nodeChanged() {
					e.checkNode()
				}
			}
			continue
		}
		if e, _ := d.find(dir, ev.Path); e != nil {
			e.checkNode()
		}
	}
}

// concerned reports whether there is something to do for a changed node below the
// server's directory, besides waking a Dial. Other paths than those of find belong to
// no channel, and there may be many: a guest may write anything there.
func (d *Domain) concerned(dir, path string) bool {
	if path == dir+channelsDir {
		return true
	}
	e, isAnswer := d.find(dir, path)
	switch {
	case e == nil:
		return false
	case isAnswer:
		e.answerChanged()
		return false
	}
	return e.nodeChanged()
}

// find finds the channel whose node or answer has the path; nil: none.
func (d *Domain) find(dir, path string) (e *clientEndpoint, isAnswer bool) {
	name, isAnswer := strings.CutSuffix(strings.TrimPrefix(path, dir+channelsDir+"/"), answerNode)
	id, ok := requestID(name)
	if !ok {
		return nil, false
	}
	if e = d.channel(id); e == nil || e.dir != dir || e.request.String() != name {
		return nil, false
	}
	return e, isAnswer
}

// watchLife notices the end of the domain.
func (d *Domain) watchLife(w *xenstore.Watch) {
	defer w.Close()
	for {
		if _, err := w.Next(d.ctx); err != nil {
			return
		}
		there, err := d.store.IsDomainIntroduced(d.ctx, d.id)
		if err != nil || there {
			continue
		}
		d.mu.Lock()
		d.gone = fmt.Errorf("%w: domain %d %s", vlibcall.ErrGone, d.id, d.end("is shut down or destroyed"))
		gone := d.gone
		es := make([]*clientEndpoint, 0, len(d.channels))
		for _, e := range d.channels {
			es = append(es, e)
		}
		d.mu.Unlock()
		for _, e := range es {
			e.lost(gone)
		}
	}
}

// end says how the domain has ended, otherwise if it was not suspended before. As
// long as a page of a domain is mapped, Xen still has the record of it.
func (d *Domain) end(otherwise string) string {
	h, err := xenctl.Open()
	if err == nil {
		defer h.Close()
		info, err := h.DomainInfo(d.id)
		if err == nil && info.Shutdown && info.ShutdownReason == xenctl.ShutdownSuspend {
			return "was saved, or has migrated to another host"
		}
	}
	return otherwise
}
