// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/throttle"
)

const (
	// period of the throttle's decisions, and of looks.
	period = 10 * time.Millisecond
	// Settle is how long a throttle may take to find its level. Every mode
	// waits as long before it is measured.
	Settle = 400 * time.Millisecond
	// lease outlasts a mode, and nothing else.
	lease = time.Minute
	// chances of a policy in a mode: it is dropped when a machine lets it wait
	// for 100 ms, and begins anew.
	chances = 5
)

// background is the least reservation of some use: the job lives on time that
// nobody reserved, which is what a throttle takes away.
var background = rtsched.Task{ID: 2, Budget: time.Millisecond, Period: 100 * time.Millisecond}

// throttled is the control of a mode: the loop, the policy and the host that
// the master has.
func throttled(policy string) func(context.Context, *Host) (func() error, error) {
	return func(ctx context.Context, h *Host) (_ func() error, err error) {
		source, err := h.sourceOf(policy)
		if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, source.Close())
			}
		}()
		params, note, err := h.params(policy, source.Name())
		if err != nil {
			return nil, err
		}
		var policies [chances]throttle.Policy
		for i := range policies {
			if policies[i], err = throttle.New(policy, params); err != nil {
				return nil, err
			}
		}
		if err := h.renew(); err != nil {
			return nil, err
		}
		if err := h.host.Reserve(ctx, h.domain(Job).On(background)); err != nil {
			return nil, err
		}
		return h.run(ctx, policy, note, throttling.New(throttling.Options{
			Period: period, Source: source, Policy: policies[0], Fallbacks: policies[1:], Host: h.host, Log: slog.New(slog.DiscardHandler),
		})), nil
	}
}

// run lets the loop decide until stop, which notes what it did.
func (h *Host) run(ctx context.Context, mode string, note map[string]float64, l *throttling.Loop) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- l.Run(ctx) }()
	return func() error {
		cancel()
		err := <-done
		ctx := context.WithoutCancel(ctx)
		used, failed := h.host.Usage(ctx, h.domain(Job).On(background))
		err = errors.Join(err, failed, h.host.Unreserve(ctx, h.domain(Job).On(background)))
		s := l.Status()
		if s.Dropped >= chances {
			err = errors.Join(err, fmt.Errorf("the throttle dropped its policy %d times, on a machine that is too busy: %s", s.Dropped, s.Problem))
		}
		for name, v := range map[string]float64{
			"throttle_s": time.Since(begin).Seconds(), "throttle_held_s": used.Throttled.Seconds(),
			"throttle_decisions": float64(s.Decisions), "throttle_unhealthy": float64(s.Unhealthy), "throttle_dropped": float64(s.Dropped),
		} {
			note[name] = h.notes[mode][name] + v
		}
		h.notes[mode] = note
		return err
	}
}

// renew the lease without which nothing can be throttled. That the one before
// has run out is nothing new: it was a mode's.
func (h *Host) renew() error {
	err := h.host.Renew(lease)
	if errors.Is(err, host.ErrLease) {
		err = h.host.Renew(lease)
	}
	return err
}

// Notes are raw numbers of what controlled the job in a mode since it was set:
// the limit, by the name of its source, and what the throttle did in all.
func (h *Host) Notes(m Mode) map[string]float64 { return maps.Clone(h.notes[m.Name]) }
