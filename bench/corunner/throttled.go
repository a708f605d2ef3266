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
	// period is the time between the throttle's decisions, and between readings.
	period = 10 * time.Millisecond
	// Settle is how long a throttle may take to find its level. A measurement
	// begins that long after a change, in every mode.
	Settle = 400 * time.Millisecond
	// lease outlasts a mode. It is not renewed.
	lease = time.Minute
	// chances is how often a policy may start again in a mode. A policy is
	// dropped when the machine delays it by 100 ms.
	chances = 5
)

// background is the least reservation that a domain can have: the job runs on
// unreserved time, which a throttle can take away.
var background = rtsched.Task{ID: 2, Budget: time.Millisecond, Period: 100 * time.Millisecond}

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

// run runs the loop until stop is called, which records what the loop did.
func (h *Machine) run(ctx context.Context, mode string, note map[string]float64, l *throttling.Loop) (stop func() error) {
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
			err = errors.Join(err, fmt.Errorf("the throttle dropped its policy %d times, because the machine is too busy: %s", s.Dropped, s.Problem))
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

// renew renews the lease, without which nothing can be throttled. It ignores
// that the previous lease has run out, which was that of another mode.
func (h *Machine) renew() error {
	err := h.host.Renew(lease)
	if errors.Is(err, host.ErrLease) {
		err = h.host.Renew(lease)
	}
	return err
}

// Notes returns raw numbers of the control in a mode since it was set: the
// limit, by the name of its source, and the total of what the throttle did.
func (h *Machine) Notes(m Mode) map[string]float64 { return maps.Clone(h.notes[m.Name]) }
