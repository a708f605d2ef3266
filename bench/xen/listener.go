// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// Where the listener in the guest and Dom0 meet, below the guest's home.
const (
	listenerPort  = "data/vlibbench/port"
	listenerReady = "data/vlibbench/ready"
)

// How many calls the listener takes: one at a time, and then batches of which
// all wait before the first is done.
const (
	singleCalls  = warmUp + counts
	batches      = 5
	batchCalls   = 100
	batchGathers = 5 * time.Millisecond
)

// Listener runs in a DomU instead of a server, takes calls by hypercall alone,
// and writes what listening cost as Samples.
func Listener(ctx context.Context, out io.Writer) (err error) {
	h, err := xenctl.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	m, err := vlib.Open(h)
	if err != nil {
		return err
	}
	store, err := xenstore.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	events, err := evtchn.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	bound, err := events.BindUnbound(0)
	if err != nil {
		return err
	}
	s := make(Samples)
	if err := s.count(sampleGuestXen, func() error { return version(h) }); err != nil {
		return err
	}
	if err := store.Write(ctx, listenerPort, fmt.Append(nil, bound)); err != nil {
		return err
	}
	if err := s.listenOpen(m); err != nil {
		return err
	}
	if err := store.Write(ctx, listenerReady, []byte("1")); err != nil {
		return err
	}
	if err := s.listenClosed(m, uint32(bound)); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s)
}

// listenOpen counts LISTEN while Dom0 holds the gate open: it says so at once.
func (s Samples) listenOpen(m *vlib.Module) error {
	var err error
	for err = fs.ErrPermission; errors.Is(err, fs.ErrPermission); {
		time.Sleep(time.Millisecond) // until Dom0 lets this domain listen
		_, err = m.Listen(vlib.Served{})
	}
	if err != vlib.ErrOpen {
		return fmt.Errorf("the gate is held open: %v", err)
	}
	return s.count(sampleListenOpen, func() error {
		if _, err := m.Listen(vlib.Served{}); err != vlib.ErrOpen {
			return fmt.Errorf("the gate is held open: %v", err)
		}
		return nil
	})
}

// listenClosed counts LISTEN that ends a call and begins the next, which waits
// already: what it does without waiting for anybody.
func (s Samples) listenClosed(m *vlib.Module, bound uint32) error {
	port, err := m.Listen(vlib.Served{})
	for err == vlib.ErrOpen { // until Dom0 lets go
		time.Sleep(time.Millisecond)
		port, err = m.Listen(vlib.Served{})
	}
	for range singleCalls {
		if err != nil {
			return err
		}
		port, err = m.Listen(vlib.Served{Port: port})
	}
	for batch := range batches {
		time.Sleep(batchGathers)
		for i := range batchCalls {
			if err == nil && port != bound {
				err = fmt.Errorf("called by event channel %d, want %d", port, bound)
			}
			if err != nil {
				return err
			}
			if i == batchCalls-1 && batch == batches-1 {
				break // nobody would end its waiting
			}
			begin := tsc()
			port, err = m.Listen(vlib.Served{Port: port})
			end := tsc()
			if batch > 0 && i < batchCalls-1 {
				s[sampleListen] = append(s[sampleListen], float64(end-begin))
			}
		}
	}
	return m.Complete(vlib.Served{Port: port})
}

// version makes the smallest hypercall, by the way that the module's are made.
func version(h *xenctl.Handle) error {
	_, err := h.Hypercall(xenVersionOp, [5]uint64{})
	return err
}
