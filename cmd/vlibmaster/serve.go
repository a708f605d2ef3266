// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/config"
	"github.com/vlibos/vlibos/dom0/control"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/dom0/host/module"
	"github.com/vlibos/vlibos/dom0/host/native"
	"github.com/vlibos/vlibos/dom0/host/stock"
	"github.com/vlibos/vlibos/dom0/master"
	"github.com/vlibos/vlibos/dom0/memory/caching"
	"github.com/vlibos/vlibos/dom0/memory/throttling"
	"github.com/vlibos/vlibos/dom0/metrics"
	"github.com/vlibos/vlibos/dom0/xapi/broker"
	"github.com/vlibos/vlibos/vlibcall/receipt"
)

func runDirFlag() *cli.StringFlag {
	return &cli.StringFlag{
		Name: "run-dir", Value: api.DefaultRunDir, EnvVars: []string{"VLIBOS_RUN_DIR"},
		Usage: "`DIR` with the master's socket, lock and state",
	}
}

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "serve as this host's master, which keeps domains on their reservations",
		Description: fmt.Sprintf(`The master runs until it is ended; a host has only one. Domains get reservations by
'vlibmaster adopt' or by the configuration. A restart is safe: the next master finds
them again. Until then they keep them with the module in Xen, and elsewhere for
%[1]v. Closed gates and throttles end by themselves if no master renews them
for %[1]v.

If Xen has this project's module (see 'vlibmaster doctor') and Dom0 is under its
scheduler, the module keeps the budgets (host module). On any other Xen the master
does, by weights and timers (host stock), and a guard process undoes that when the
master is dead. On the native host a domain is a cgroup: see 'vlibmaster cgroup
--help'.

The configuration, in which every key is optional:

%[2]s
On SIGHUP the master reads it again and applies the whole file or nothing; then the log
has the reason, and the metric vlibos_config_last_reload_successful is 0. 'vlibmaster
serve --check' only checks it, which 'systemctl reload vlibmaster' does first.`, master.Lease, indent(config.Example())),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "check", Usage: "check the syntax of the configuration and end"},
			&cli.StringFlag{Name: "config", Usage: "`FILE` with the configuration (default: " + config.DefaultFile + ", if it exists)"},
			runDirFlag(),
		},
		Action: serveAction,
	}
}

func serveAction(c *cli.Context) (err error) {
	if err := noArguments(c); err != nil {
		return err
	}
	if c.Bool("check") {
		return checkConfig(c)
	}
	// SIGHUP ends other commands; here it reloads.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(c.Context), unix.SIGTERM, unix.SIGINT)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, unix.SIGHUP)
	defer signal.Stop(reload)
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.App.ErrWriter, nil))
	kind, err := hostKind(c, cfg)
	if err != nil {
		return err
	}
	// The runtime must have a free processor whenever the keeper's thread wakes.
	runtime.GOMAXPROCS(max(4, runtime.GOMAXPROCS(0)))
	// A garbage collection stops that thread while other threads wait for a CPU. So there
	// are fewer than usual; with a thousand domains, one after 12 MiB of garbage.
	debug.SetGCPercent(150)
	p, err := openHost(ctx, c, kind, log)
	if err != nil {
		return err
	}
	defer closing(&err, p)
	xapi := broker.New(broker.Inventory, c.String("run-dir"), log)
	named := xapi.Named(p)
	m, err := master.Open(ctx, named, c.String("run-dir"), log)
	if err != nil {
		return err
	}
	defer closing(&err, m)
	g, err := openGateway(c, kind, m, log)
	if err != nil {
		return err
	}
	defer closing(&err, g)
	shelf, err := receipt.OpenShelf(c.String("run-dir"), log)
	if err != nil {
		return err
	}
	t := throttling.NewManager(p, log)
	defer closing(&err, t)
	caches := caching.NewManager(cachePartitioner(p, c.String("run-dir")), cacheMonitor(p), named, log)
	defer closing(&err, caches)
	xapi.Recall(ctx, caches)
	reloads := metrics.NewReloads()
	exports := newExporter(m, shelf, g, t, caches, reloads, log)
	defer exports.Close()
	// A configuration is applied as a whole or not at all.
	take := func(cfg config.Config) error {
		return exports.move(cfg.MetricsListen, func() error {
			err := caches.Move(ctx, cfg.Cache, func() error {
				return t.Move(cfg.Throttle, func() error {
					return xapi.Move(cfg.XAPI, func() error { return take(ctx, cfg, m, g) })
				})
			})
			reloads.Done(err) // before the metrics are served
			return err
		})
	}
	if err := take(cfg); err != nil {
		return err
	}
	l, err := control.Listen(filepath.Join(c.String("run-dir"), api.SocketName))
	if err != nil {
		return err
	}
	if err := m.Renew(); err != nil {
		return errors.Join(err, l.Close())
	}
	log.Info("serving", "host", p.Name(), "socket", l.Addr().String())
	if err := notifyReady(); err != nil {
		return errors.Join(err, l.Close())
	}
	return together(ctx,
		func(ctx context.Context) error {
			return control.Serve(ctx, l, m, g, t, caches, append(control.ServeXAPI(xapi), control.ServeCalls(shelf), control.ServeDescribe(m, g, t, caches, shelf), exports.extra())...)
		},
		shelf.Run,
		func(ctx context.Context) error { return m.Run(ctx, notifyAlive) },
		g.Run,
		caches.Run,
		func(ctx context.Context) error { return xapi.Run(ctx, m, caches) },
		func(ctx context.Context) error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-reload:
					reloads.Done(reconfigure(c, take, log))
				}
			}
		},
	)
}

// together runs parts until one ends, and then ends the others.
func together(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, len(parts))
	for _, part := range parts {
		go func() { done <- part(ctx) }()
	}
	var errs []error
	for range parts {
		errs = append(errs, <-done)
		cancel()
	}
	return errors.Join(errs...)
}

// closing adds what closing says to a function's error.
func closing(err *error, c io.Closer) { *err = errors.Join(*err, c.Close()) }

// loadConfig reads the configuration; the default one need not be there.
func loadConfig(c *cli.Context) (config.Config, error) {
	if c.IsSet("config") {
		return config.Load(c.String("config"))
	}
	cfg, err := config.Load(config.DefaultFile)
	if errors.Is(err, fs.ErrNotExist) {
		return config.Config{Host: directory.Auto}, nil
	}
	return cfg, err
}

// reconfigure returns why the configuration is not taken, which the log has.
func reconfigure(c *cli.Context, take func(config.Config) error, log *slog.Logger) error {
	cfg, err := loadConfig(c)
	if err == nil {
		err = take(cfg)
	}
	if err != nil {
		log.Error("the new configuration is not taken", "error", err)
		return err
	}
	log.Info("configuration taken", "adopt", len(cfg.Adopt), "allow", len(cfg.Allow))
	return nil
}

// checkConfig is serve --check.
func checkConfig(c *cli.Context) error {
	cfg, err := loadConfig(c)
	if err == nil {
		_, err = fmt.Fprintf(c.App.Writer, "the syntax is right: adopt %d, allow %d, domain %d, cache %d; whether it fits: vlibmaster admit FILE\n", len(cfg.Adopt), len(cfg.Allow), len(cfg.Domains), len(cfg.Cache))
	}
	return err
}

// hostKind is the host that the master serves.
func hostKind(c *cli.Context, cfg config.Config) (string, error) {
	if _, err := chosen(c); err != nil {
		return "", err
	}
	switch kind := c.String("host"); {
	case kind == directory.Gateway:
		return "", usagef("--host %s: serve is the gateway: want one of %s", kind, strings.Join(directory.Hosts, ", "))
	case kind != directory.Auto:
		return kind, nil
	case cfg.Host != directory.Auto:
		return cfg.Host, nil
	}
	return directory.Detect("/").Host(), nil
}

func openHost(ctx context.Context, c *cli.Context, kind string, log *slog.Logger) (host.Host, error) {
	switch kind {
	case directory.Native:
		return native.Open(native.Options{Parent: c.String("native-cgroup"), Servers: c.String("native-dir")})
	case directory.Module:
		return module.Open(ctx, true)
	case directory.Xen:
		p, err := module.Open(ctx, false)
		if !errors.Is(err, host.ErrNotHere) {
			return p, err
		}
		log.Info("the master keeps budgets itself, by weights and timers", "host", directory.Stock, "because", err)
	}
	return stock.Open(ctx, stock.Options{Dir: c.String("run-dir")})
}

// notifyReady and notifyAlive tell systemd; without it they do nothing.
func notifyReady() error {
	_, err := daemon.SdNotify(false, daemon.SdNotifyReady)
	return err
}

func notifyAlive() error {
	_, err := daemon.SdNotify(false, daemon.SdNotifyWatchdog)
	return err
}
