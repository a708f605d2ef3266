// SPDX-License-Identifier: Apache-2.0

package selftest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/host"
)

// masterOf is a master that has the throw-away domains.
type masterOf struct{ *client.Client }

// master starts a master of the self-test's own. A Xen has only one: if one serves it,
// that is used.
func (s *stage) master(ctx context.Context) (masterOf, error) {
	if s.plan.Master != "" {
		c := client.New(s.plan.Master)
		s.ended = append(s.ended, func() error { c.Close(); return nil })
		return masterOf{c}, nil
	}
	run, config := filepath.Join(s.plan.Dir, "run"), filepath.Join(s.plan.Dir, "config.toml")
	// Without that it would take the VMs that ask XAPI for reservations.
	if err := os.WriteFile(config, []byte("[xapi]\nenabled = false\n"), 0o600); err != nil {
		return masterOf{}, err
	}
	cmd := exec.Command(s.Self, append(s.ground.serve(), "serve", "--run-dir", run, "--config", config)...)
	if err := s.start(cmd, "master"); err != nil {
		return masterOf{}, err
	}
	c := client.New(filepath.Join(run, api.SocketName))
	s.ended = append(s.ended, func() error { c.Close(); return nil })
	for end := time.Now().Add(30 * time.Second); ; {
		_, err := c.Host(ctx)
		if err == nil {
			return masterOf{c}, nil
		}
		if !errors.Is(err, api.ErrNoMaster) || time.Now().After(end) {
			text, _ := os.ReadFile(filepath.Join(s.plan.Dir, "master.log")) // the error says enough without it
			return masterOf{}, fmt.Errorf("%w; it said: %s", err, strings.TrimSpace(string(text)))
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return masterOf{}, err
		}
	}
}

// reserve puts a domain on a reservation, and returns its number.
func (m masterOf) reserve(ctx context.Context, d domain, budget, period time.Duration) (uint32, error) {
	r, err := m.Reserve(ctx, api.Reservation{Reservation: task(d, budget, period)})
	return r.ID, err
}

// usage is the CPU time used on a reservation that is in force.
func (m masterOf) usage(ctx context.Context, id uint32) (host.Usage, error) {
	h, err := m.Host(ctx)
	if err != nil {
		return host.Usage{}, err
	}
	for _, r := range h.Reservations {
		if r.ID != id {
			continue
		}
		if r.Problem != "" {
			return host.Usage{}, fmt.Errorf("the reservation is not in force: %s", r.Problem)
		}
		return r.Usage, nil
	}
	return host.Usage{}, fmt.Errorf("the master has lost reservation %d", id)
}
