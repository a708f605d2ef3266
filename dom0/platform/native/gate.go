// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/platform"
)

// freeze stops every process of a domain, or lets them go on. Stopping takes
// effect as each process comes to a safe point; freeze waits for the last.
func (l layout) freeze(ctx context.Context, name string, closed bool) error {
	dir := filepath.Join(l.freezer.dir, name)
	control, state, done := "freezer.state", "freezer.state", "FROZEN"
	word := map[bool]string{false: "THAWED", true: "FROZEN"}[closed]
	if l.freezer.version == 2 {
		control, state, done = "cgroup.freeze", "cgroup.events", "frozen 1"
		word = map[bool]string{false: "0", true: "1"}[closed]
	}
	if err := write(filepath.Join(dir, control), word); err != nil || !closed {
		return explain(err)
	}
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 20*time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(dir, state))
		if err != nil {
			return explain(err)
		}
		if strings.Contains(string(text), done) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not all processes have stopped yet, a system call may keep one: %w", filepath.Join(dir, state), ctx.Err())
		case <-time.After(wait):
		}
	}
}

// anyFrozen reports whether a domain is stopped, or whether that is not known.
func (l layout) anyFrozen() bool {
	control, open := "freezer.state", "THAWED"
	if l.freezer.version == 2 {
		control, open = "cgroup.freeze", "0"
	}
	entries, err := os.ReadDir(l.freezer.dir)
	if err != nil {
		return !gone(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(l.freezer.dir, e.Name(), control))
		if !gone(err) && strings.TrimSpace(string(text)) != open {
			return true
		}
	}
	return false
}

// Gate stops every process of a domain, or lets them go on. To close one, a
// lease must run ([Platform.Renew]), and all have stopped when it returns; ctx
// bounds the wait for that, and the gate stays closed if it ends early.
func (p *Platform) Gate(ctx context.Context, d platform.Domain, closed bool) error {
	if d.Control {
		return fmt.Errorf("domain %q: gating a control domain: %w", d.ID, platform.ErrNotAllowed)
	}
	if err := p.exists(d.ID); err != nil {
		return err
	}
	if closed && !p.lease.Runs() {
		return p.noLease(d.ID)
	}
	err := p.layout.freeze(ctx, d.ID, closed)
	if gone(err) {
		return fmt.Errorf("domain %q: %w: %w", d.ID, platform.ErrNoDomain, err)
	}
	if closed && !p.lease.Runs() {
		// The guard may have been by before the gate closed.
		err = errors.Join(p.noLease(d.ID), p.layout.freeze(ctx, d.ID, false))
	}
	if err != nil {
		return fmt.Errorf("gate of domain %q: %w", d.ID, err)
	}
	return nil
}

func (p *Platform) noLease(name string) error {
	return fmt.Errorf("domain %q: its gate stays open: %w: renew it first", name, platform.ErrLease)
}
