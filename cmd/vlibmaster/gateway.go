// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/urfave/cli/v2"

	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/gateway"
	"github.com/vlibos/vlibos/dom0/gateway/policy"
	"github.com/vlibos/vlibos/dom0/master"
)

// openGateway creates the directory of the sockets. kind is the host of the domains
// that are called.
func openGateway(c *cli.Context, kind string, m *master.Master, log *slog.Logger) (*gateway.Gateway, error) {
	if kind == directory.Module || kind == directory.Stock {
		kind = directory.Xen // only the master treats the two differently
	}
	cfg := directory.Config{Host: kind, NativeDir: c.String("native-dir")}
	o := gateway.Options{
		Dir: callDir(c.String("run-dir")), Log: log,
		Find: func(ctx context.Context, domain string) (gateway.Domain, error) { return findCallee(ctx, cfg, domain) },
		Pay:  func(ctx context.Context, r policy.Rule) (uint32, error) { return m.Pay(ctx, r.Key()) },
	}
	if m.Watches() {
		o.Stuck = m.Stuck
	}
	return gateway.Open(o)
}

// callee is a domain and the directory that found it.
type callee struct {
	*directory.Domain
	host directory.Directory
}

func (d callee) Close() error { return errors.Join(d.Domain.Close(), d.host.Close()) }

func findCallee(ctx context.Context, cfg directory.Config, domain string) (gateway.Domain, error) {
	p, err := directory.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	d, err := p.Lookup(ctx, domain)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return callee{d, p}, nil
}

// take applies a configuration, all of it or nothing.
func take(ctx context.Context, cfg config.Config, m *master.Master, g *gateway.Gateway) error {
	if len(cfg.Allow) > 0 {
		if err := g.Reachable(); err != nil {
			return err
		}
	}
	change, err := g.Prepare(cfg.Allow, cfg.Domains)
	if err != nil {
		return err
	}
	if err := m.Configure(ctx, cfg.Reservations()); err != nil {
		change.Abort()
		return err
	}
	change.Commit()
	return nil
}
