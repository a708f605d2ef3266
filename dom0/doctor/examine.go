// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/client"
	"github.com/vlibos/vlibos/dom0/directory"
	"github.com/vlibos/vlibos/dom0/host/keeper"
	"github.com/vlibos/vlibos/dom0/memory/psr"
	"github.com/vlibos/vlibos/dom0/memory/resctrl"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

// devices are the device nodes that a call from Dom0 opens.
var devices = []Device{
	{Path: "/dev/xen/privcmd", Module: "xen-privcmd"},
	{Path: "/dev/xen/evtchn", Module: "xen-evtchn"},
	{Path: "/dev/xen/gntdev", Module: "xen-gntdev"},
}

// Examine collects the facts of this host. It asks xenstore and the master, if one
// serves here, through the client; ctx limits how long.
func Examine(ctx context.Context, cfg directory.Config, m *client.Client) Facts {
	if cfg.NativeDir == "" {
		cfg.NativeDir = native.DefaultRoot
	}
	f := Facts{Traces: directory.Detect("/"), Root: os.Geteuid() == 0, Host: cfg.Host}
	if f.Host == "" || f.Host == directory.Auto {
		f.Host = f.Traces.Host()
	}
	f.Devices = deviceFacts("/")
	if err := tryRealtime(); err != nil {
		f.Realtime = err.Error()
	}
	if f.Traces.Running() {
		f.Xen, f.Cache = askXen()
		if s, err := xenstore.Open(ctx); err != nil {
			f.Xenstore, _, _ = strings.Cut(err.Error(), "\n") // a line for each way to xenstored
		} else {
			s.Close() // only read from
		}
	}
	if f.Host == directory.Native {
		f.Cache = cacheFacts(resctrl.Layout(resctrl.Root)).monitored(resctrl.IDs(resctrl.Root))
	}
	f.Native = nativeFacts(ctx, cfg.NativeDir)
	f.Domains, f.Problem = listDomains(ctx, directory.Config{Host: f.Host, NativeDir: cfg.NativeDir})
	f.Master = askMaster(ctx, m)
	f.Master.plan(&f)
	return f
}

// tryRealtime makes a thread real-time, as the keeper of budgets is, and ends it.
func tryRealtime() error {
	tried := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		tried <- keeper.Realtime()
	}()
	return <-tried
}

// deviceFacts examines the device nodes below root, which is "/" outside tests.
func deviceFacts(root string) []Device {
	found := make([]Device, 0, len(devices))
	for _, d := range devices {
		path := filepath.Join(root, d.Path)
		_, err := os.Stat(path)
		d.Exists = err == nil
		d.Usable = d.Exists && unix.Access(path, unix.R_OK|unix.W_OK) == nil
		found = append(found, d)
	}
	return found
}

func askXen() (XenFacts, Cache) {
	h, err := xenctl.Open()
	if err != nil {
		return XenFacts{Problem: err.Error()}, Cache{}
	}
	defer h.Close()
	v, err := h.Version()
	if err != nil {
		return XenFacts{Problem: err.Error()}, Cache{}
	}
	f := XenFacts{Version: v.String(), Capabilities: v.Capabilities, Module: askModule(h)}
	if err := f.askControl(h); err != nil {
		f.Control = err.Error()
		return f, Cache{}
	}
	layout, _, err := psr.Layout(h)
	return f, cacheFacts(layout, err).monitored(psr.IDs(h))
}

// askControl asks for the versions of both toolstack interfaces, which differ between
// releases, and for the scheduler under which Dom0 is.
func (f *XenFacts) askControl(h *xenctl.Handle) error {
	i, err := h.Interfaces()
	if err != nil {
		return err
	}
	dom0, err := h.DomainInfo(0)
	if err != nil {
		return err
	}
	pool, err := h.Pool(dom0.CPUPool)
	f.Interfaces, f.Scheduler, f.Weights = i.String(), pool.Scheduler.String(), pool.Scheduler.Weighs()
	if f.Module.Host {
		f.Scheduler = "vlib" // which has the number of null
	}
	return err
}

func nativeFacts(ctx context.Context, dir string) NativeFacts {
	f := NativeFacts{Dir: dir}
	_, err := os.Stat(dir)
	f.Exists = err == nil
	f.Usable = f.Exists && unix.Access(dir, unix.R_OK|unix.X_OK) == nil
	f.Domains, _ = listDomains(ctx, directory.Config{Host: directory.Native, NativeDir: dir}) // the error is in Usable
	return f
}

func listDomains(ctx context.Context, cfg directory.Config) ([]Domain, string) {
	list := []Domain{}
	p, err := directory.Open(ctx, cfg)
	if err != nil {
		return list, err.Error()
	}
	defer p.Close()
	all, err := p.Domains(ctx)
	if err != nil {
		return list, err.Error()
	}
	for _, d := range all {
		ports, left := d.Listening()
		list = append(list, Domain{ID: d.ID, Name: d.Name, UUID: d.UUID, Ports: append([]transport.Port{}, ports...), Left: left})
	}
	return list, ""
}
