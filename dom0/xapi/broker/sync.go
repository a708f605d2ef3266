// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/xapi"
)

// follower carries requests and answers between one pool and the master.
type follower struct {
	*Broker
	pool    *xapi.Pool
	master  Master
	classes Classes
	wanted  chan map[string]answer // the last answers, by VM

	last    []api.Reservation // requests that the master was told last
	problem string            // the last one, which was logged
	refused map[string]string // the last statuses of requests that are not understood
}

// answer is the status that a VM is to have.
type answer struct {
	vm   *xapi.VM
	text string
}

// run carries requests to the master after each change of the pool and each period,
// until ctx ends.
func (f *follower) run(ctx context.Context) {
	t := time.NewTicker(period)
	defer t.Stop()
	for {
		always := false
		select {
		case <-ctx.Done():
			return
		case <-f.pool.Changed():
		case <-t.C:
			always = true
		}
		if known, _, _ := f.pool.Known(); known {
			f.carry(ctx, always)
		}
	}
}

// carry makes the master's reservations those that VMs ask for, always or only if
// these have changed.
func (f *follower) carry(ctx context.Context, always bool) {
	here := f.pool.Find(func(v *xapi.VM, here bool) bool { return here && asks(v) })
	slices.SortFunc(here, func(a, b *xapi.VM) int { return cmp.Or(cmp.Compare(a.UUID, b.UUID), cmp.Compare(a.Ref, b.Ref)) })
	here = slices.CompactFunc(here, func(a, b *xapi.VM) bool { return a.UUID == b.UUID })
	var want []api.Reservation
	wrong, class := make([]error, len(here)), make(map[string]string)
	for i, v := range here {
		if c := v.Asked[keyCache]; c != "" {
			class[v.UUID] = c
		}
		if reserves(v) {
			var r api.Reservation
			r, wrong[i] = reservation(v)
			want = append(want, r)
		}
	}
	if !always && reflect.DeepEqual(want, f.last) {
		return
	}
	f.last = want
	has, err := f.master.Request(ctx, want)
	if err != nil && ctx.Err() == nil && err.Error() != f.problem {
		f.log.Warn("reservations that VMs ask for in XAPI", "error", err)
		f.problem = err.Error()
	}
	if has == nil && err != nil {
		return
	}
	noClass := f.ask(ctx, f.classes, class)
	answers, refused := make(map[string]answer), make(map[string]string)
	for i, v := range here {
		var a api.Status
		if reserves(v) {
			a, has = has[0], has[1:]
		}
		text := status(f.name, v, a, wrong[i], noClass[v.UUID])
		answers[v.Ref] = answer{v, text}
		if wrong[i] != nil {
			if refused[v.UUID] = text; f.refused[v.UUID] != text {
				f.log.Warn("a VM's request in XAPI is not understood", "vm", v.UUID, "name", v.Name, "status", text)
			}
		}
	}
	f.refused = refused
	f.Broker.mu.Lock()
	f.Broker.answers = make(map[string]string, len(answers))
	for _, a := range answers {
		f.Broker.answers[a.vm.UUID] = a.text
	}
	f.Broker.mu.Unlock()
	// This host's answers to VMs that do not run here, or ask for nothing more, are old:
	// those of a copy are the original's, and another host may have no master.
	gave := f.given()
	for _, v := range f.pool.Find(func(v *xapi.VM, _ bool) bool { return gave(v.Asked[keyStatus]) }) {
		if _, ok := answers[v.Ref]; !ok {
			answers[v.Ref] = answer{v, ""}
		}
	}
	select {
	case <-f.wanted: // replaced
	default:
	}
	f.wanted <- answers
}

// given returns whether a status is this host's answer.
func (f *follower) given() func(status string) bool {
	us := f.pool.Host()
	return func(status string) bool {
		_, by := unmarked(status)
		return by != "" && by == us
	}
}

// leave removes this host's answers, which nothing keeps up to date any more.
func (f *follower) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaving)
	defer cancel()
	gave := f.given()
	// The pool may not know the last answers yet.
	for _, v := range f.pool.Find(func(v *xapi.VM, here bool) bool { return here && asks(v) || gave(v.Asked[keyStatus]) }) {
		if err := f.pool.Remove(ctx, v, keyStatus, gave); err != nil && !errors.Is(err, xapi.HandleInvalid) {
			f.log.Warn("answers to VMs stay in XAPI", "vm", v.UUID, "error", err)
			return
		}
	}
}

// leaving limits how long the removal of answers takes.
const leaving = 5 * time.Second

// again is when an answer that XAPI did not show is written again.
const again = 10 * time.Second

// answer writes each status that is not yet what it should be, until ctx ends.
func (f *follower) answer(ctx context.Context) {
	type written struct {
		text string
		at   time.Time
	}
	sent := make(map[string]written)
	var logged xapi.Name // the last error
answers:
	for {
		select {
		case <-ctx.Done():
			return
		case all := <-f.wanted:
			maps.DeleteFunc(sent, func(ref string, _ written) bool { return all[ref].vm == nil })
			gave := f.given()
			for ref, a := range all {
				has, _ := unmarked(a.vm.Asked[keyStatus])
				if s, ok := sent[ref]; has == a.text && (has == "" || gave(a.vm.Asked[keyStatus])) || ok && s.text == a.text && time.Since(s.at) < again {
					continue
				}
				var err error
				if a.text == "" {
					err = f.pool.Remove(ctx, a.vm, keyStatus, gave)
				} else {
					err = f.pool.Set(ctx, a.vm, keyStatus, marked(a.text, f.pool.Host(), time.Now()))
				}
				refused := (*xapi.Error)(nil)
				_, _, gone := f.pool.Known()
				switch {
				case err == nil, errors.Is(err, xapi.HandleInvalid), errors.Is(err, xapi.DuplicateKey):
				case gone != nil || !errors.As(err, &refused):
					continue answers // the pool says that XAPI does not answer
				case refused.Name != logged:
					logged = refused.Name
					f.log.Warn("XAPI does not take the answer to a VM", "vm", a.vm.UUID, "name", a.vm.Name, "error", err)
				}
				sent[ref] = written{a.text, time.Now()}
			}
		}
	}
}

// Status is what is known of XAPI and of the VMs that ask for something.
func (b *Broker) Status() api.XAPI {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.pool == nil {
		return api.XAPI{Asked: []api.AskingVM{}}
	}
	known, n, problem := b.pool.Known()
	x := api.XAPI{Followed: true, Address: b.client.Address, Known: known, VMs: n, Asked: []api.AskingVM{}}
	if problem != nil {
		x.Problem = problem.Error()
	}
	b.pool.Find(func(v *xapi.VM, here bool) bool {
		if asks(v) {
			asked := maps.Clone(v.Asked)
			delete(asked, keyStatus)
			text := v.Asked[keyStatus]
			if here {
				text = b.answers[v.UUID]
			}
			x.Asked = append(x.Asked, api.AskingVM{UUID: v.UUID, Name: v.Name, Power: v.Power, Here: here, Domid: v.Domid, Tags: v.Tags, Asked: asked, Status: text})
		}
		return false
	})
	slices.SortFunc(x.Asked, func(a, b api.AskingVM) int { return cmp.Compare(a.UUID, b.UUID) })
	return x
}
