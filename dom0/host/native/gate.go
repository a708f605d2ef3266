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

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/cgroup"
)

// freezeControl is the file that stops a domain.
func (l layout) freezeControl() string {
	if l.freezer.version == 2 {
		return "cgroup.freeze"
	}
	return "freezer.state"
}

func freezeWord(version2, on bool) string {
	switch {
	case version2 && on:
		return "1"
	case version2:
		return "0"
	case on:
		return "FROZEN"
	}
	return "THAWED"
}

// freeze stops every process of a domain, or resumes them. Each process stops
// when it reaches a safe point; freeze waits for the last.
func (l layout) freeze(ctx context.Context, name string, closed bool) error {
	if err := l.askFreeze(name, closed); err != nil || !closed {
		return err
	}
	return l.frozen(ctx, name)
}

func (l layout) askFreeze(name string, on bool) error {
	f, err := os.OpenFile(filepath.Join(l.freezer.dir, name, l.freezeControl()), os.O_RDWR, 0)
	if err != nil {
		return explain(err)
	}
	return explain(errors.Join(stop(f, l.freezer.version == 2, on), f.Close()))
}

// stop has the kernel stop the processes of a cgroup by its file, each when it
// reaches a safe point, or resumes them. An attribute of the file says that
// this was done here, so that a guard opens the gates closed here and no
// others.
func stop(f *os.File, version2, on bool) error {
	if on {
		if err := stopped.Write(f, "1"); err != nil {
			return err
		}
	}
	if _, err := f.WriteAt([]byte(freezeWord(version2, on)), 0); err != nil || on {
		return err
	}
	return stopped.Remove(f)
}

// reopen resumes a cgroup that was stopped here, by this process or another.
// forget says that it will not be stopped again.
func reopen(file string, version2, forget bool) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, ours, err := stopped.Read(f)
	if err == nil && ours {
		_, err = f.WriteAt([]byte(freezeWord(version2, false)), 0)
		if err == nil && forget {
			err = stopped.Remove(f)
		}
	}
	return errors.Join(err, f.Close())
}

// frozen waits until every process has stopped.
func (l layout) frozen(ctx context.Context, name string) error {
	file, done := filepath.Join(l.freezer.dir, name, "freezer.state"), "FROZEN"
	if l.freezer.version == 2 {
		file, done = filepath.Join(l.freezer.dir, name, "cgroup.events"), "frozen 1"
	}
	for wait := 100 * time.Microsecond; ; wait = min(2*wait, 20*time.Millisecond) {
		text, err := os.ReadFile(file)
		if err != nil {
			return explain(err)
		}
		if strings.Contains(string(text), done) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not all processes have stopped yet, a system call may keep one: %w", file, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// anyFrozen reports whether a domain is stopped, or whether that is unknown.
func (l layout) anyFrozen() bool {
	control, open := l.freezeControl(), freezeWord(l.freezer.version == 2, false)
	entries, err := os.ReadDir(l.freezer.dir)
	if err != nil {
		return !cgroup.Gone(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(l.freezer.dir, e.Name(), control))
		if !cgroup.Gone(err) && strings.TrimSpace(string(text)) != open {
			return true
		}
	}
	return false
}

// Gate stops every process of a domain, or resumes them. To close one, a lease
// must run ([Host.Renew]), and all have stopped when it returns; ctx bounds the
// wait for that, and the gate stays closed if it ends early.
func (p *Host) Gate(ctx context.Context, d host.Domain, closed bool) error {
	if d.Control {
		return fmt.Errorf("domain %q: gating a control domain: %w", d.ID, host.ErrNotAllowed)
	}
	if err := p.exists(d.ID); err != nil {
		return err
	}
	if closed && !p.k.Lease().Runs() {
		return p.noLease(d.ID)
	}
	err := p.gate(ctx, d.ID, closed)
	if err == nil && closed {
		err = p.layout.frozen(ctx, d.ID)
	}
	if cgroup.Gone(err) {
		return fmt.Errorf("domain %q: %w: %w", d.ID, host.ErrNoDomain, err)
	}
	if closed && !p.k.Lease().Runs() {
		// The guard may have run before the gate closed.
		err = errors.Join(p.noLease(d.ID), p.gate(context.WithoutCancel(ctx), d.ID, false))
	}
	if err != nil {
		return fmt.Errorf("gate of domain %q: %w", d.ID, err)
	}
	return nil
}

// gate closes or opens in the keeper's thread, whose throttle uses the same
// means.
func (p *Host) gate(ctx context.Context, name string, closed bool) (err error) {
	failed := p.k.Do(ctx, func() { err = p.k.gate(name, closed) })
	return errors.Join(failed, err)
}

func (p *Host) noLease(name string) error {
	return fmt.Errorf("domain %q: its gate stays open: %w: renew it first", name, host.ErrLease)
}
