// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"errors"
	"sync"

	"github.com/vlibos/vlibos/evtchn"
)

// mostHandles is how many handles wait for their next channel. Each has two
// event channels of this domain.
const mostHandles = 8

// handles are those of channels that were closed, for the next ones: the two
// event channels that a handle has for itself cost more than a channel's own.
type handles struct {
	mu   sync.Mutex
	free []*evtchn.Handle
}

// get returns a handle with no channel's port.
func (p *handles) get() (*evtchn.Handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		h := p.free[n-1]
		p.free = p.free[:n-1]
		return h, nil
	}
	return evtchn.Open()
}

// put takes a handle back, in which none waits. Port is its channel's; 0: none.
func (p *handles) put(h *evtchn.Handle, port evtchn.Port) error {
	var err error
	if port != 0 {
		err = h.Unbind(port)
	}
	if err = errors.Join(err, h.Clear()); err != nil {
		return errors.Join(err, h.Close())
	}
	p.mu.Lock()
	full := len(p.free) == mostHandles
	if !full {
		p.free = append(p.free, h)
	}
	p.mu.Unlock()
	if full {
		return h.Close()
	}
	return nil
}

func (p *handles) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, h := range p.free {
		errs = append(errs, h.Close())
	}
	p.free = nil
	return errors.Join(errs...)
}
