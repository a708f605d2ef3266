// SPDX-License-Identifier: Apache-2.0

package native

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/internal/cgroup"
	"github.com/vlibos/vlibos/internal/flock"
	"github.com/vlibos/vlibos/rtsched"
	transport "github.com/vlibos/vlibos/vlibcall/transport/native"
)

// Name of this host.
const Name = "native"

// DefaultParent is the cgroup that contains the domains.
const DefaultParent = "vlibos"

// late is by how much the keeper is late on a machine that others use too.
const late = time.Millisecond

// Options of Open; the zero value has all defaults.
type Options struct {
	// Parent is the cgroup below which every cgroup is a domain; made if
	// it is not there. At most one process adopts and gates below it.
	Parent string
	// Version of cgroups, 1 or 2, to prefer for everything that it has.
	// Default 2 if it has the CPU controller, else 1.
	Version int
	// Guard is the command that calls [Guard]; default this executable
	// with the arguments "guard", "native" and the parent.
	Guard []string
	// Depleted is called in the keeper's thread when a budget is found to be
	// gone, with how much more than that was used. For measurements; it must
	// not block.
	Depleted func(reservation uint32, over time.Duration)
	// Servers has the domains' servers, a directory each, with their ledgers;
	// default the transport's.
	Servers string
}

// Host is this machine. It implements [host.Host].
type Host struct {
	layout  layout
	parent  string
	k       *keeping
	threads *threads.Set
	sets    cpusets
	own     *os.File // the host's lock, once it is owned
}

var _ host.Host = (*Host)(nil)

// Possible is the error with which Open with the zero Options would fail on
// this machine, as far as that can be told without changing anything; as root.
func Possible() error {
	m, err := cgroup.FindMounts()
	if err != nil {
		return err
	}
	_, err = choose(m, DefaultParent, 0)
	return err
}

// Open opens the machine. Errors wrap [host.ErrNotHere] if it has no suitable
// cgroups, [host.ErrNotAllowed] if this user may not use them.
func Open(o Options) (*Host, error) {
	if o.Parent == "" {
		o.Parent = DefaultParent
	}
	for part := range strings.SplitSeq(o.Parent, "/") {
		if err := CheckName(part); err != nil {
			return nil, fmt.Errorf("parent cgroup %.80q: %w", o.Parent, err)
		}
	}
	if o.Version < 0 || o.Version > 2 {
		return nil, fmt.Errorf("version %d of cgroups: want one of 1, 2", o.Version)
	}
	m, err := cgroup.FindMounts()
	if err != nil {
		return nil, err
	}
	l, err := choose(m, o.Parent, o.Version)
	if err != nil {
		return nil, err
	}
	if err := l.prepare(); err != nil {
		return nil, err
	}
	if len(o.Guard) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		o.Guard = []string{self, "guard", Name, o.Parent}
	}
	o.Servers = cmp.Or(o.Servers, transport.DefaultRoot)
	k, err := startKeeping(o, l)
	if err != nil {
		return nil, err
	}
	return &Host{layout: l, parent: o.Parent, k: k, threads: threads.NewSet(k.Keeper)}, nil
}

// Name implements host.Host.
func (p *Host) Name() string { return Name }

// Parent is the cgroup that contains the domains.
func (p *Host) Parent() string { return p.parent }

// Own implements host.Host. Every parent is a host of its own, which does not
// know what others promise. A machine has one, except for tests and for users
// to whom a cgroup was delegated.
func (p *Host) Own() error {
	m, err := cgroup.FindMounts()
	if err != nil {
		return err
	}
	dir, err := guardDir(m, p.parent)
	if err != nil {
		return err
	}
	// A process that can open it can lock it.
	name := filepath.Join(dir, "cgroup.procs")
	if err := os.Chmod(name, 0o600); err != nil {
		return explain(err)
	}
	p.own, err = flock.Take(name, os.O_RDONLY)
	return err
}

// Notes implements host.Host.
func (p *Host) Notes() []string { return p.k.Notes() }

// Floor implements host.Host: the parent's weight leaves it to others.
func (p *Host) Floor() (rtsched.Task, time.Duration) {
	return rtsched.Task{Budget: time.Millisecond, Period: 20 * time.Millisecond}, late
}

// Renew implements host.Host. The first call starts the guard, a process that
// opens all gates and restores all weights when Renew is not called again in
// time. host.ErrLease says that this may have happened: budgets are kept again,
// gates are open, and the new lease runs. Changes of an earlier process to
// domains that are not adopted are undone.
func (p *Host) Renew(d time.Duration) error { return p.k.Renew(d) }

// Close implements host.Host. Adopted domains are in background, and gated
// domains stay gated, for the rest of the lease, within which another process
// can take over.
func (p *Host) Close() error {
	first, err := p.k.stop()
	err = errors.Join(err, p.sets.close())
	if first && p.own != nil {
		err = errors.Join(err, p.own.Close())
	}
	return err
}
