// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/xen"
	"github.com/vlibos/vlibos/xenctl"
	"github.com/vlibos/vlibos/xenctl/xenstore"
)

const asRoot = "run as root in Dom0"

// xenDirectory finds domains in xenstore: the nodes name and vm in a domain's
// home are the toolstack's, what is below data the guest's.
type xenDirectory struct{ store *xenstore.Client }

// maxPorts bounds how many announced servers of one guest are looked at: a
// guest can make a thousand nodes.
const maxPorts = 64

func openXen(ctx context.Context, t Traces) (Directory, error) {
	s, err := xenstore.Open(ctx)
	if err == nil {
		return &xenDirectory{s}, nil
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, &Error{Target: "host xen", Err: &because{fs.ErrPermission, err}, Hint: asRoot}
	case !t.Running():
		return nil, &Error{Target: "host xen", Err: &because{ErrNoXen, err},
			Hint: "boot the Xen hypervisor and run in Dom0, or use --host native; vlibmaster doctor says what is missing"}
	}
	return nil, &Error{Target: "host xen", Err: &because{ErrNoXen, err},
		Hint: "start xenstored; vlibmaster doctor says what is missing"}
}

func (p *xenDirectory) Name() string { return Xen }
func (p *xenDirectory) Close() error { return p.store.Close() }

func (p *xenDirectory) Lookup(ctx context.Context, ref string) (*Domain, error) {
	if id, ok := parseDomid(ref); ok {
		switch _, err := p.store.Directory(ctx, home(id)); {
		case err == nil:
			return p.domain(ctx, id)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, p.explain(fmt.Sprintf("domain %d", id), err)
		}
	}
	all, err := p.Domains(ctx)
	if err != nil {
		return nil, err
	}
	var found []*Domain
	for _, d := range all {
		if d.Name == ref && ref != "" || d.UUID != "" && strings.EqualFold(d.UUID, ref) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, noDomain(ref, all, "xenstore", "xenstore has none")
	}
	ids := make([]string, len(found))
	for i, d := range found {
		ids[i] = d.ID
	}
	return nil, &Error{
		Target: fmt.Sprintf("domain %.80q", ref),
		Err:    host.ErrSeveral,
		Hint:   "use a number or UUID: " + strings.Join(ids, ", "),
	}
}

// parseDomid reads a domain number. DOMID_FIRST_RESERVED of xen.h bounds it.
func parseDomid(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n < 0x7ff0
}

func home(id uint16) string { return "/local/domain/" + strconv.Itoa(int(id)) }

func (p *xenDirectory) Domains(ctx context.Context) ([]*Domain, error) {
	names, err := p.store.Directory(ctx, "/local/domain")
	if err != nil {
		return nil, p.explain("host xen", err)
	}
	var ids []uint16
	for _, name := range names {
		if id, ok := parseDomid(name); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	all := make([]*Domain, 0, len(ids))
	for _, id := range ids {
		d, err := p.domain(ctx, id)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func (p *xenDirectory) domain(ctx context.Context, id uint16) (*Domain, error) {
	d := &Domain{
		ID:       strconv.Itoa(int(id)),
		open:     func(ctx context.Context) (dialer, error) { return p.dialer(ctx, id) },
		noServer: func(port transport.Port) string { return wayToGuestServer(id, port) },
		denied:   asRoot,
	}
	name, err := p.text(ctx, home(id)+"/name")
	if err != nil {
		return nil, p.explain(d.target(), err)
	}
	d.Name = name
	vm, err := p.text(ctx, home(id)+"/vm")
	if err != nil {
		return nil, p.explain(d.target(), err)
	}
	d.UUID, _ = strings.CutPrefix(vm, "/vm/")
	d.Ports = p.ports(ctx, id)
	return d, nil
}

// dialer keeps a failure from becoming a non-nil dialer.
func (p *xenDirectory) dialer(ctx context.Context, id uint16) (dialer, error) {
	d, err := xen.OpenBy(ctx, p.store, id)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// withoutDrivers is the way out of a guest that takes no events, so that no server could.
const withoutDrivers = "its kernel takes no events from Xen, and calls need them: it still boots, or runs without Xen's drivers (parameters nopv, xen_nopv); start it with them, and vlib-server in it; a reservation needs neither"

func wayToGuestServer(id uint16, port transport.Port) string {
	if id == 0 {
		return "domain 0 is this one, name a guest"
	}
	if takesNoEvents(id) {
		return withoutDrivers
	}
	if port == vlibcall.DefaultPort {
		return "start vlib-server in the guest, as root"
	}
	return fmt.Sprintf("start vlib-server --port %d in the guest, as root", port)
}

// takesNoEvents is false where Xen does not say.
func takesNoEvents(id uint16) bool {
	h, err := xenctl.Open()
	if err != nil {
		return false
	}
	defer h.Close()
	takes, err := h.TakesEvents(id)
	return err == nil && !takes
}

// ports are those that have a greeting. Guests write them: what cannot be read is
// none, so that a guest that keeps its list from being read is still there, and
// others can be looked up by their names.
func (p *xenDirectory) ports(ctx context.Context, id uint16) (ports []transport.Port) {
	dir := home(id) + "/data/vlibos"
	names, err := p.store.Directory(ctx, dir)
	if err != nil {
		return nil
	}
	for _, name := range names[:min(len(names), maxPorts)] {
		port, ok := parsePort(name)
		if !ok {
			continue
		}
		if _, err := p.store.Read(ctx, dir+"/"+name+"/server"); err == nil {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return ports
}

// text reads a node that need not exist.
func (p *xenDirectory) text(ctx context.Context, path string) (string, error) {
	b, err := p.store.Read(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

func (p *xenDirectory) explain(target string, err error) error {
	return explain(target, err, "", asRoot)
}
