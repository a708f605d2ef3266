// SPDX-License-Identifier: Apache-2.0

package xen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/bench/domu"
	"github.com/vlibos/vlibos/evtchn"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/xenctl/vlib"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// Reservations that pay for the calls to the listener. One of them is refused.
const (
	firstPaying = 100
	notAllowed  = 99
)

// hypercalls counts CALL in Dom0 and LISTEN in domain domid, where it starts the
// listener.
func (b *machine) hypercalls(ctx context.Context, domid uint16) (err error) {
	if err := b.count(sampleDom0Xen, func() error { return version(b.xen) }); err != nil {
		return err
	}
	g, err := domu.Open(ctx, domid, vlibcall.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	c, err := g.Start(ctx, self, ListenerArg)
	if err != nil {
		return err
	}
	if err := b.callListener(ctx, domid); err != nil {
		return err
	}
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("the listener in domain %d: %w", domid, err)
	}
	theirs := make(Samples)
	if err := json.Unmarshal(out, &theirs); err != nil {
		return err
	}
	maps.Copy(b.Samples, theirs)
	return nil
}

func (b *machine) callListener(ctx context.Context, domid uint16) (err error) {
	store, err := xenstore.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	remote, err := awaitNode(ctx, store, domid, listenerPort)
	if err != nil {
		return err
	}
	events, err := evtchn.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	local, err := events.BindInterdomain(domid, evtchn.Port(remote))
	if err != nil {
		return err
	}
	if err := b.listens(domid); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.module.SetDomain(domid, 0, vlib.Listens)) }()
	hold, err := b.module.Hold(domid, time.Minute)
	if err != nil {
		return err
	}
	for id := uint32(notAllowed); id < firstPaying+batchCalls; id++ {
		if err := b.module.Reserve(id, 100*time.Microsecond, time.Second); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.module.Unreserve(id)) }()
		if id == notAllowed {
			continue
		}
		if err := b.module.Allow(domid, id); err != nil {
			return err
		}
	}
	if _, err := awaitNode(ctx, store, domid, listenerReady); err != nil {
		return err
	}
	if err := b.countRefused(domid, uint32(local)); err != nil {
		return err
	}
	if err := b.module.Drop(domid, hold); err != nil {
		return err
	}
	return b.countCalls(domid, uint32(local))
}

// countRefused counts a CALL that fails at the last possible check.
func (b *machine) countRefused(domid uint16, local uint32) error {
	const hypercall, call = 55, 3 // vlib_op, VLIB_OP_call
	args := [5]uint64{call, uint64(domid)<<32 | uint64(local), notAllowed, uint64(time.Second), 1}
	return b.count(sampleCallRefused, func() error {
		if _, err := b.xen.Hypercall(hypercall, args); err != unix.EACCES {
			return fmt.Errorf("a reservation that is not allowed: %w, want EACCES", err)
		}
		return nil
	})
}

// countCalls counts CALL to a listening domain, whose gate it opens, and CALL to
// a domain that already serves a call.
func (b *machine) countCalls(domid uint16, local uint32) error {
	time.Sleep(batchGathers) // the gate closes
	request := vlib.Request{Domain: domid, Port: local}
	for i := range singleCalls {
		request.Number++
		begin := tsc()
		state, err := b.module.Call(firstPaying, request, time.Minute)
		end := tsc()
		if err != nil {
			return err
		}
		if state != vlib.CallActive {
			return errors.New("the called domain does not listen")
		}
		if i >= warmUp {
			b.Samples[sampleCall] = append(b.Samples[sampleCall], float64(end-begin))
		}
		time.Sleep(time.Millisecond) // until it has served and listens
	}
	for batch := range batches {
		for i := range batchCalls {
			request.Number++
			mark(phaseCall)
			begin := tsc()
			state, err := b.module.Call(uint32(firstPaying+i), request, time.Minute)
			end := tsc()
			mark(0)
			if err != nil {
				return err
			}
			if batch > 0 && state == vlib.CallQueued {
				b.Samples[sampleCallQueued] = append(b.Samples[sampleCallQueued], float64(end-begin))
			}
		}
		time.Sleep(10 * batchGathers)
	}
	return nil
}

// awaitNode waits until a guest has written a number to a node of its home.
func awaitNode(ctx context.Context, store *xenstore.Client, domid uint16, node string) (uint64, error) {
	path := fmt.Sprintf("/local/domain/%d/%s", domid, node)
	for range 1000 {
		value, err := store.Read(ctx, path)
		if err == nil {
			return strconv.ParseUint(string(value), 10, 32)
		}
		if !errors.Is(err, unix.ENOENT) {
			return 0, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return 0, fmt.Errorf("no number at %s within ten seconds", path)
}
