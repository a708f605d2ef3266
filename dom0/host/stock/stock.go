// SPDX-License-Identifier: Apache-2.0

package stock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/host/threads"
	"github.com/vlibos/vlibos/dom0/internal/domains"
	"github.com/vlibos/vlibos/rtsched"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// Name of this host.
const Name = "stock"

// late is by how much the end of a budget may come late: credit2's rate limit,
// and a millisecond each for Dom0's timer and for the keeper to get a CPU.
const late = 2 * time.Millisecond

// Options of Open.
type Options struct {
	// Dir contains the ledger. It must be empty after a boot.
	Dir string
	// Guard is the command that calls [Guard]; default this executable with
	// the arguments "guard", "stock" and the ledger.
	Guard []string
}

// Host is this host. It implements [host.Host].
type Host struct {
	h       *xenctl.Handle
	store   *xenstore.Client
	list    *domains.List
	keeping *keeping
	set     *threads.Set // of helpers
	name    string       // the ledger's
	floor   rtsched.Task

	mu   sync.Mutex
	lock *os.File // on the ledger, since the first lease
	own  *os.File // the host's, once owned
}

var _ host.Host = (*Host)(nil)

// Open opens the host.
func Open(ctx context.Context, o Options) (*Host, error) {
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("%w: run as root", err)
	}
	name := filepath.Join(o.Dir, "stock.ledger.2")
	if len(o.Guard) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		o.Guard = []string{self, "guard", Name, name}
	}
	p := &Host{name: name}
	var err error
	if p.h, err = xenctl.Open(); err != nil {
		return nil, err
	}
	if p.store, err = xenstore.Open(ctx); err != nil {
		return nil, errors.Join(err, p.h.Close())
	}
	p.list = domains.New(p.h, p.store, false)
	if p.floor, err = findFloor(p.h, inventory); err != nil {
		return nil, errors.Join(err, p.store.Close(), p.h.Close())
	}
	l, err := openLedger(name)
	if err != nil {
		return nil, errors.Join(err, p.store.Close(), p.h.Close())
	}
	p.keeping = newKeeping(p.h, l, o.Guard)
	p.set = threads.NewSet(p.keeping.Keeper)
	if err := p.keeping.Start(); err != nil {
		return nil, errors.Join(err, l.close(), p.store.Close(), p.h.Close())
	}
	return p, nil
}

// Name implements host.Host.
func (p *Host) Name() string { return Name }

// Own implements host.Host.
func (p *Host) Own() (err error) {
	p.own, err = domains.Own()
	return err
}

// Notes implements host.Host.
func (p *Host) Notes() []string { return p.keeping.Notes() }

// Floor implements host.Host.
func (p *Host) Floor() (rtsched.Task, time.Duration) { return p.floor, late }

// Domains implements host.Host.
func (p *Host) Domains(ctx context.Context) ([]host.Domain, error) { return p.list.All(ctx) }

// Renew implements host.Host. It starts the guard, a process that restores all
// weights and undoes all pauses when Renew is not called again in time.
// host.ErrLease says that this may have happened: budgets are kept again, and
// the new lease runs. Changes of an earlier process to domains that are not
// adopted are undone.
func (p *Host) Renew(d time.Duration) error {
	if err := p.take(); err != nil {
		return err
	}
	return p.keeping.Renew(d)
}

// take says that this process keeps domains now, by a lock that all such
// processes and all guards of one ledger share.
func (p *Host) take() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lock == nil {
		p.lock, err = keeper.Share(p.name)
	}
	return err
}

// Close implements host.Host. Adopted domains stay so for the rest of the
// lease, within which another process can take over.
func (p *Host) Close() error {
	first, err := p.keeping.Close(false)
	if !first {
		return err
	}
	for _, f := range []*os.File{p.lock, p.own} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return errors.Join(err, p.keeping.ledger.close(), p.store.Close(), p.h.Close())
}
