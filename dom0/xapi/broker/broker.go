// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/xapi"
)

// Inventory is the file that XAPI's hosts have, with this host's UUID.
const Inventory = "/etc/xensource-inventory"

// Master is the part of *master.Master that reserves.
type Master interface {
	Request(context.Context, []api.Reservation) ([]api.Status, error)
	Try(context.Context, []api.Reservation) (api.Trial, error)
}

// Classes is the part of *caching.Manager that puts domains into cache classes.
type Classes interface {
	Ask(ctx context.Context, asked map[string]string) map[string]error
}

// Broker is between XAPI and a master. It is safe for concurrent use.
type Broker struct {
	inventory string // the file of that name
	exists    bool   // it does: the host has XAPI
	name      string // this host's name, which begins each status
	asked     asked
	log       *slog.Logger
	moved     chan struct{} // another XAPI is to be followed

	mu      sync.RWMutex
	config  config.XAPI
	client  *xapi.Client // nil: nothing is followed
	pool    *xapi.Pool   // nil if client is
	master  Master       // nil until Run
	answers map[string]string
}

// New makes a broker, which follows nothing yet. inventory is the file of that name;
// without it the host has no XAPI. dir is a folder for what VMs have asked for.
func New(inventory, dir string, log *slog.Logger) *Broker {
	_, err := os.Stat(inventory)
	b := &Broker{
		inventory: inventory, exists: !errors.Is(err, fs.ErrNotExist), asked: asked{file: filepath.Join(dir, "xapi.json")},
		log: log, moved: make(chan struct{}, 1),
	}
	b.name, _ = os.Hostname() // which Linux always has
	return b
}

var installation = regexp.MustCompile(`(?m)^INSTALLATION_UUID='([^']*)'$`)

// identity is this host's UUID. That it cannot be read is no reason to end what VMs have
// asked for.
func (b *Broker) identity() (string, error) {
	text, err := os.ReadFile(b.inventory)
	if found := installation.FindSubmatch(text); found != nil && host.IsUUID(string(found[1])) {
		return string(found[1]), nil
	}
	return "", fmt.Errorf("this host's UUID is not known: %w", cmp.Or(err, fmt.Errorf("%s has no line INSTALLATION_UUID='…'", b.inventory)))
}

// Move follows another XAPI, or none, and calls then. An error of either leaves
// everything as it was.
func (b *Broker) Move(want config.XAPI, then func() error) error {
	var client *xapi.Client
	switch {
	case want.Enabled && !b.exists:
		return fmt.Errorf("xapi: enabled = true: this host has no XAPI: there is no %s", Inventory)
	case b.exists && !want.Off:
		var err error
		if client, err = xapi.New(want.Options); err != nil {
			return err
		}
	}
	if err := then(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.config
	if b.config = want; (client == nil) == (b.client == nil) && was.Options == want.Options {
		return nil
	}
	if b.client, b.pool, b.answers = client, nil, nil; client != nil {
		b.pool = xapi.Follow(client, b.identity, b.log)
	}
	select {
	case b.moved <- struct{}{}:
	default:
	}
	return nil
}

// Run follows XAPI until ctx ends.
func (b *Broker) Run(ctx context.Context, m Master, c Classes) error {
	b.mu.Lock()
	b.master = m
	b.mu.Unlock()
	for ctx.Err() == nil {
		select {
		case <-b.moved: // before it is followed
		default:
		}
		part, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			b.follow(part, m, c)
			close(done)
		}()
		select {
		case <-ctx.Done():
		case <-b.moved:
		}
		cancel()
		<-done
	}
	return nil
}

// follow follows the present XAPI until ctx ends. Requests never wait for XAPI,
// which may take long to take an answer.
func (b *Broker) follow(ctx context.Context, m Master, c Classes) {
	b.mu.RLock()
	client, pool := b.client, b.pool
	b.mu.RUnlock()
	if client == nil {
		b.ask(ctx, c, nil)
		t := time.NewTicker(period)
		defer t.Stop()
		for logged := false; ; logged = true {
			_, err := m.Request(ctx, nil)
			if err != nil && !logged {
				b.log.Warn("reservations that VMs asked for in XAPI have not ended; it is tried again", "error", err)
			}
			if err == nil {
				<-ctx.Done()
			}
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
		}
	}
	defer client.Close()
	f := &follower{Broker: b, pool: pool, master: m, classes: c, wanted: make(chan map[string]answer, 1)}
	var parts sync.WaitGroup
	parts.Go(func() { pool.Run(ctx) })
	parts.Go(func() { f.answer(ctx) })
	f.run(ctx)
	parts.Wait()
	b.mu.RLock()
	moved := b.client != client
	b.mu.RUnlock()
	if moved {
		f.leave()
	}
}

// Named is the host with the names that XAPI has for its domains.
func (b *Broker) Named(h host.Host) host.Host {
	if !b.exists {
		return h
	}
	return &named{h, b}
}

type named struct {
	host.Host
	b *Broker
}

// Domains implements [host.Host]. XAPI is not waited for.
func (n *named) Domains(ctx context.Context) ([]host.Domain, error) {
	all, err := n.Host.Domains(ctx)
	n.b.mu.RLock()
	pool := n.b.pool
	n.b.mu.RUnlock()
	if pool == nil {
		return all, err
	}
	for i, d := range all {
		if v := pool.VM(d.UUID); v != nil && v.Name != "" && !d.Control {
			all[i].Name = v.Name
		}
	}
	return all, err
}

// Hook answers a hook of XAPI. Before a start it returns a *host.Refusal if the VM's
// reservation would not fit and the configuration says that this refuses the start.
// No other error refuses one.
func (b *Broker) Hook(ctx context.Context, h api.Hook) error {
	b.mu.RLock()
	pool, master, refuse := b.pool, b.master, b.config.RefuseStarts
	b.mu.RUnlock()
	if pool == nil || master == nil {
		return nil
	}
	v := pool.VM(h.UUID)
	// The hook runs in a reboot, too: a VM that runs is not to end there.
	if h.Hook != api.HookStart || !refuse || v == nil || v.Power == "Running" || !reserves(v) {
		pool.Poke()
		return nil
	}
	want, err := reservation(v)
	if err != nil {
		return nil // its status says so when it runs
	}
	want.Origin = api.FromXAPI
	_, err = master.Try(ctx, []api.Reservation{want})
	return err
}

// period is the time between two looks at what VMs ask for.
const period = 500 * time.Millisecond
