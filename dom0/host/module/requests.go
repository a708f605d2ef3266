// SPDX-License-Identifier: Apache-2.0

package module

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/vlib"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// A toolstack asks a guest through xenstore to shut down, to suspend (as 'xl save'
// and 'xl migrate' do), to use more or less memory, or to use a device. A domain
// whose gate is closed cannot answer. So the gate opens when a node of such a
// request changes, without any software of ours in the guest.
//
// openFor is how long: a Linux guest suspends within 20 s or not at all
// (freeze_timeout_msecs), and libxl waits 60 s for an answer.
const openFor = time.Minute

// requestNodes are below the domain's home directory. The guest may write some of
// them: then it runs without being called, in background, as any other domain.
var requestNodes = []string{"control", "memory/target", "cpu", "device"}

// gates is the part of the hypervisor that requests need.
type gates interface {
	Domains() ([]xenctl.DomainInfo, error)
	Domain(domid uint16) (vlib.Domain, error)
	Hold(domid uint16, limit time.Duration) (vlib.Hold, error)
	Drop(domid uint16, hold vlib.Hold) error
}

// hypervisor implements gates.
type hypervisor struct {
	*xenctl.Handle
	*vlib.Module
}

// requests opens the gates of domains of which a toolstack requests something. One
// goroutine runs it.
type requests struct {
	gates gates
	store *xenstore.Client

	watched map[uint16]context.CancelFunc
	work    sync.WaitGroup

	mu      sync.Mutex
	problem error // of the last review
}

// note is why requests may not reach gated domains, or "".
func (r *requests) note() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem == nil {
		return ""
	}
	return fmt.Sprintf("a toolstack's requests may not reach domains whose gate is closed: %v", r.problem)
}

const (
	// findEvery is how often domains are looked for that can be gated.
	findEvery = 500 * time.Millisecond
	// watchPatience limits the wait for xenstored at each watch.
	watchPatience = 5 * time.Second
	// holdAgain is the least time between two holds of a domain's gate, whatever the
	// guest writes.
	holdAgain = time.Second
)

// run returns when ctx ends. Holds end by themselves.
func (r *requests) run(ctx context.Context) {
	r.watched = make(map[uint16]context.CancelFunc)
	tick := time.NewTicker(findEvery)
	defer tick.Stop()
	for {
		err := r.review(ctx)
		r.mu.Lock()
		r.problem = err
		r.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			r.work.Wait()
			return
		}
	}
}

// review watches exactly the domains that can be gated. What fails is tried again
// the next time.
func (r *requests) review(ctx context.Context) error {
	all, err := r.gates.Domains()
	if err != nil {
		return err
	}
	gated := make(map[uint16]bool)
	for _, d := range all {
		state, err := r.gates.Domain(d.ID)
		if err == nil && state.Flags&(gating|vlib.Closed) != 0 {
			gated[d.ID] = true
		}
	}
	for id, end := range r.watched {
		if !gated[id] {
			end()
			delete(r.watched, id)
		}
	}
	var errs []error
	for id := range gated {
		if _, has := r.watched[id]; !has {
			errs = append(errs, r.watch(ctx, id))
		}
	}
	return errors.Join(errs...)
}

func (r *requests) watch(ctx context.Context, id uint16) error {
	ctx, cancel := context.WithCancel(ctx)
	changes := make(chan struct{}, 1)
	home := "/local/domain/" + strconv.Itoa(int(id)) + "/"
	for _, node := range requestNodes {
		soon, end := context.WithTimeout(ctx, watchPatience)
		w, err := r.store.Watch(soon, home+node)
		end()
		if err != nil {
			cancel()
			return err
		}
		r.work.Go(func() { follow(ctx, w, changes) })
	}
	r.work.Go(func() { r.hold(ctx, id, changes) })
	r.watched[id] = cancel
	// One that was made before.
	if text, err := r.store.Read(ctx, home+"control/shutdown"); err == nil && len(text) > 0 {
		changed(changes)
	}
	return nil
}

func changed(changes chan<- struct{}) {
	select {
	case changes <- struct{}{}:
	default: // it knows already
	}
}

// follow reports changes of a node, but not the event with which a watch begins.
func follow(ctx context.Context, w *xenstore.Watch, changes chan<- struct{}) {
	defer w.Close()
	for first := true; ; first = false {
		if _, err := w.Next(ctx); err != nil {
			return // the domain is no longer gated, or xenstored died
		}
		if !first {
			changed(changes)
		}
	}
}

// hold keeps the gate open from a change until openFor after the last one.
func (r *requests) hold(ctx context.Context, id uint16, changes <-chan struct{}) {
	var last vlib.Hold
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
		}
		// An error means that the domain is gone or 64 others hold its gate.
		if h, err := r.gates.Hold(id, openFor); err == nil {
			if last != 0 {
				r.gates.Drop(id, last) // it may be over
			}
			last = h
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(holdAgain):
		}
	}
}
