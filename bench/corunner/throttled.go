// SPDX-License-Identifier: Apache-2.0

package corunner

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/throttle"
)

const (
	// period is the time between the throttle's decisions, and between readings.
	period = 10 * time.Millisecond
	// lease outlasts a mode. It is not renewed.
	lease = time.Minute
)

// background is the least reservation that a domain can have: the job runs on
// unreserved time, which a throttle can take away.
var background = rtsched.Task{ID: 2, Budget: time.Millisecond, Period: 100 * time.Millisecond}

// idling is the reservation of the process that does nothing.
var idling = rtsched.Task{ID: 3, Budget: time.Millisecond, Period: 100 * time.Millisecond}

// throttled returns the control of a throttled mode. It uses the daemon's own
// loop, policies and host.
func throttled(policy string) func(context.Context, *Machine) (func() error, error) {
	return func(ctx context.Context, h *Machine) (_ func() error, err error) {
		source, err := h.sourceOf(policy)
		if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, source.Close())
			}
		}()
		k := h.policies[policy]
		if k == nil {
			params, note, err := h.params(policy, source.Name())
			if err != nil {
				return nil, err
			}
			p, err := throttle.New(policy, params)
			if err != nil {
				return nil, err
			}
			k = &resumed{Policy: p, note: note}
			h.policies[policy] = k
		} else {
			k.resume = true
		}
		if err := h.host.Reserve(ctx, h.domain(Job).On(background)); err != nil {
			return nil, err
		}
		h.loop = throttling.New(throttling.Options{Period: period, Source: source, Policy: k, Host: h.host, Log: slog.New(slog.DiscardHandler)})
		return h.run(ctx, policy, k.note), nil
	}
}

// run runs the loop until stop is called, which records what the loop did.
func (h *Machine) run(ctx context.Context, mode string, note map[string]float64) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	begin, l := time.Now(), h.loop
	go func() { done <- l.Run(ctx) }()
	return func() error {
		cancel()
		err := <-done
		ctx := context.WithoutCancel(ctx)
		used, failed := h.host.Usage(ctx, h.domain(Job).On(background))
		err = errors.Join(err, failed, h.host.Unreserve(ctx, h.domain(Job).On(background)))
		s := l.Status()
		if s.Dropped > 0 {
			delete(h.policies, mode) // a dropped policy may still run
		}
		total := maps.Clone(note)
		for name, v := range map[string]float64{
			"throttle_s": time.Since(begin).Seconds(), "throttle_held_s": used.Throttled.Seconds(),
			"throttle_decisions": float64(s.Decisions), "throttle_unhealthy": float64(s.Unhealthy), "throttle_dropped": float64(s.Dropped),
		} {
			total[name] = h.notes[mode][name] + v
		}
		h.notes[mode] = total
		return err
	}
}

// renew renews the lease, without which nothing can be throttled. It ignores
// that the previous lease has run out, which was that of another mode.
func (h *Machine) renew() error {
	err := h.host.Renew(lease)
	if errors.Is(err, host.ErrLease) {
		err = h.host.Renew(lease)
	}
	return err
}
