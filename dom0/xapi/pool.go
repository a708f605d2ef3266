// SPDX-License-Identifier: Apache-2.0

package xapi

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// pace is the least time between two calls of event.from: XAPI gathers the changes
// meanwhile. retry is the first pause after a failure, which doubles up to
// slowest.
const (
	pace    = 100 * time.Millisecond
	retry   = time.Second
	slowest = 30 * time.Second
)

// mostVMs limits the VMs of a pool.
const mostVMs = 100_000

// Pool is the VMs of a pool, as XAPI last told them. While XAPI does not answer it
// stays as it is. It is safe for concurrent use.
type Pool struct {
	client   *Client
	identity func() (uuid string, err error) // of this host
	log      *slog.Logger

	mu      sync.RWMutex
	vms     map[string]*VM // by reference; a VM never changes
	byUUID  map[string]*VM
	here    string // reference of this host
	host    string // its UUID
	known   bool   // vms were complete once
	problem error  // nil: XAPI answers
	begun   bool   // there was an answer or a problem
	changed chan struct{}
}

// Follow returns a pool, of which nothing is known until Run. identity returns this
// host's UUID. It is called again after an error, which is one of XAPI's.
func Follow(c *Client, identity func() (uuid string, err error), log *slog.Logger) *Pool {
	return &Pool{client: c, identity: identity, log: log, changed: make(chan struct{}, 1)}
}

// Run follows the pool until ctx ends.
func (p *Pool) Run(ctx context.Context) error {
	wait := retry
	for {
		good, err := p.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		p.troubled(err)
		if good {
			wait = retry
		}
		if !sleep(ctx, wait) {
			return nil
		}
		wait = min(2*wait, slowest)
	}
}

// follow logs in, takes all VMs and then their changes, until something fails. good
// reports whether it had all VMs.
func (p *Pool) follow(ctx context.Context) (good bool, err error) {
	uuid, err := p.identity()
	if err != nil {
		return false, err
	}
	p.client.forget("")
	session, err := p.client.login(ctx)
	if err != nil {
		return false, err
	}
	var here string
	if err := p.client.Call(ctx, "host.get_by_uuid", &here, uuid); err != nil {
		return false, err
	}
	for token := ""; ; {
		c, err := p.client.next(ctx, session, token)
		if err != nil {
			return good, err
		}
		if token == "" && len(c.events) == 0 {
			return good, fmt.Errorf("%w: a pool without VMs: even an empty one has its control domains", ErrAnswer)
		}
		if err := p.apply(c, token == "", here, uuid); err != nil {
			return good, err
		}
		token, good = c.token, true
		if !sleep(ctx, pace) {
			return good, ctx.Err()
		}
	}
}

// apply enters changes, or replaces all VMs.
func (p *Pool) apply(c changes, all bool, here, uuid string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if all {
		p.vms, p.byUUID = make(map[string]*VM), make(map[string]*VM)
	}
	p.here, p.host = here, uuid
	for _, e := range c.events {
		if was := p.vms[e.ref]; was != nil {
			delete(p.vms, e.ref)
			if p.byUUID[was.UUID] == was {
				delete(p.byUUID, was.UUID)
			}
		}
		if e.vm != nil {
			p.vms[e.ref], p.byUUID[e.vm.UUID] = e.vm, e.vm
		}
	}
	if len(p.vms) > mostVMs {
		return fmt.Errorf("the pool has more than %d VMs", mostVMs)
	}
	if p.problem != nil || !p.begun {
		p.log.Info("XAPI answers", "address", p.client.Address, "vms", len(p.vms))
	}
	p.known, p.begun, p.problem = true, true, nil
	if all || len(c.events) > 0 {
		p.Poke()
	}
	return nil
}

// troubled records that XAPI fails. It is logged once, until XAPI answers again.
func (p *Pool) troubled(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.problem == nil {
		p.log.Warn("XAPI does not answer as it should: reservations stay as they are, and it is tried again", "address", p.client.Address, "error", err)
	}
	p.begun, p.problem = true, err
}

// Changed has an element after a change.
func (p *Pool) Changed() <-chan struct{} { return p.changed }

// Poke makes Changed have an element.
func (p *Pool) Poke() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Known reports whether all VMs were known once, how many there are now, and why
// XAPI does not answer; nil: it does.
func (p *Pool) Known() (known bool, vms int, problem error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.known, len(p.vms), p.problem
}

// Find returns the VMs for which f returns true; here says that a VM runs on this
// host. They must not be changed.
func (p *Pool) Find(f func(v *VM, here bool) bool) (found []*VM) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, v := range p.vms {
		if f(v, v.Host != "" && v.Host == p.here) {
			found = append(found, v)
		}
	}
	return found
}

// Host is this host's UUID; empty: not known yet.
func (p *Pool) Host() string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.host
}

// VM is the VM with a UUID; nil: none is known.
func (p *Pool) VM(uuid string) *VM {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.byUUID[strings.ToLower(uuid)]
}

// Set replaces an entry of a VM's other_config; Prefix is added to the key.
// DuplicateKey: another client has set it meanwhile. HandleInvalid: the VM is gone.
func (p *Pool) Set(ctx context.Context, v *VM, key, text string) error {
	if err := p.client.Call(ctx, "VM.remove_from_other_config", nil, v.Ref, Prefix+key); err != nil {
		return err
	}
	return p.client.Call(ctx, "VM.add_to_other_config", nil, v.Ref, Prefix+key, text)
}

// Remove removes an entry of a VM's other_config, if it is meant as it is now: another
// client may have changed it since v was known. HandleInvalid: the VM is gone.
func (p *Pool) Remove(ctx context.Context, v *VM, key string, meant func(text string) bool) error {
	var now map[string]string
	err := p.client.Call(ctx, "VM.get_other_config", &now, v.Ref)
	if err != nil || !meant(now[Prefix+key]) {
		return err
	}
	return p.client.Call(ctx, "VM.remove_from_other_config", nil, v.Ref, Prefix+key)
}

// sleep reports whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
