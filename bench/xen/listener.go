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

// The nodes below the guest's home at which the listener and Dom0 meet.
const (
	listenerPort  = "data/vlibbench/port"
	listenerReady = "data/vlibbench/ready"
)

// How many calls the listener takes: first one at a time, then in batches whose
// calls all wait before the first is served.
const (
	singleCalls  = warmUp + counts
	batches      = 5
	batchCalls   = 100
	batchGathers = 5 * time.Millisecond
)

// Listener runs in a DomU instead of a server. It takes calls by hypercall alone,
// and writes the counts of LISTEN as Samples.
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

// listenOpen counts LISTEN while Dom0 has a hold on the gate; it returns at once.
func (s Samples) listenOpen(m *vlib.Module) error {
	var err error
	for err = fs.ErrPermission; errors.Is(err, fs.ErrPermission); {
		time.Sleep(time.Millisecond) // until Dom0 allows this domain to listen
		_, err = m.Listen(vlib.Served{})
	}
	if err != vlib.ErrOpen {
		return fmt.Errorf("LISTEN with a hold on the gate: %v", err)
	}
	return s.count(sampleListenOpen, func() error {
		if _, err := m.Listen(vlib.Served{}); err != vlib.ErrOpen {
			return fmt.Errorf("LISTEN with a hold on the gate: %v", err)
		}
		return nil
	})
}

// listenClosed counts LISTEN that ends a call and begins the next, which already
// waits. So LISTEN does not wait itself.
func (s Samples) listenClosed(m *vlib.Module, bound uint32) error {
	port, err := m.Listen(vlib.Served{})
	for err == vlib.ErrOpen { // until Dom0 drops its hold
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
				break // no call would end its wait
			}
			counted := batch > 0 && i < batchCalls-1
			if counted {
				mark(phaseListen)
			}
			begin := tsc()
			port, err = m.Listen(vlib.Served{Port: port})
			end := tsc()
			mark(0)
			if counted {
				s[sampleListen] = append(s[sampleListen], float64(end-begin))
			}
		}
	}
	return m.Complete(vlib.Served{Port: port})
}

// version makes the smallest hypercall, by the device that the module's use.
func version(h *xenctl.Handle) error {
	_, err := h.Hypercall(xenVersionOp, [5]uint64{})
	return err
}
