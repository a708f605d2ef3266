// SPDX-License-Identifier: Apache-2.0

package throttling

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
)

// Manager runs the loop of the configuration, or none. It is safe for concurrent
// use.
type Manager struct {
	host host.Host
	log  *slog.Logger

	mu      sync.Mutex
	current config.Throttle
	loop    *Loop // nil: none
	stop    context.CancelFunc
	done    chan error
}

// NewManager returns a manager that runs no loop yet.
func NewManager(p host.Host, log *slog.Logger) *Manager {
	return &Manager{host: p, log: log}
}

// Set runs the loop of a configuration; nil: none. If only the policy differs, the
// loop continues with the other policy. An error leaves everything as it was.
func (m *Manager) Set(c *config.Throttle) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set(c)
}

// Move is Set, and undoes it if then fails.
func (m *Manager) Move(c *config.Throttle, then func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var was *config.Throttle
	if m.loop != nil {
		current := m.current
		was = &current
	}
	if err := m.set(c); err != nil {
		return err
	}
	if err := then(); err != nil {
		return errors.Join(err, m.set(was))
	}
	return nil
}

func (m *Manager) set(c *config.Throttle) error {
	if c == nil {
		return m.end()
	}
	if m.loop != nil {
		was := m.current
		was.Policy, was.Params = c.Policy, c.Params
		if reflect.DeepEqual(was, *c) {
			policy, fallbacks, err := policies(*c)
			if err == nil && !reflect.DeepEqual(m.current, *c) {
				m.loop.Swap(policy, fallbacks...)
				m.current = *c
			}
			return err
		}
	}
	loop, err := open(*c, m.host, m.log)
	if err != nil {
		return err
	}
	if err := m.end(); err != nil {
		m.log.Warn("throttle", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.current, m.loop, m.stop, m.done = *c, loop, cancel, make(chan error, 1)
	go func() { m.done <- loop.Run(ctx) }()
	m.log.Info("throttle", "source", loop.o.Source.Name(), "policy", c.Policy, "period", c.Period)
	return nil
}

// end stops the loop, which opens all CPUs; the caller has locked mu.
func (m *Manager) end() error {
	if m.loop == nil {
		return nil
	}
	m.stop()
	err := <-m.done
	m.loop = nil
	return err
}

// Status returns the status of the loop; nil: none runs.
func (m *Manager) Status() *api.Throttle {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loop == nil {
		return nil
	}
	s := m.loop.Status()
	return &s
}

// Close stops the loop.
func (m *Manager) Close() error { return m.Set(nil) }
