// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// newGateway finds domains as the master's sockets for unprivileged tools are:
// as the native host's, and called in the same way.
func newGateway(dir string) *nativeDirectory {
	return &nativeDirectory{cmp.Or(dir, DefaultGatewayDir), words{
		host: Gateway, denied: asRoot,
		start: func(string, transport.Port) string {
			return "vlibmaster serve listens there when a rule [[allow]] of its configuration names that domain and port"
		},
	}}
}

// either is for users other than root: what the gateway has is called through
// it, and else what they can reach themselves.
type either struct {
	gateway Directory
	direct  Config

	mu   sync.Mutex
	open Directory // of direct, once it was needed
}

func newEither(c Config) *either {
	direct := c
	direct.Host = Detect("/").Host()
	return &either{gateway: newGateway(c.GatewayDir), direct: direct}
}

func (e *either) Name() string { return Auto }

// other opens what does not lead through the gateway.
func (e *either) other(ctx context.Context) (Directory, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == nil {
		p, err := Open(ctx, e.direct)
		if err != nil {
			return nil, err
		}
		e.open = p
	}
	return e.open, nil
}

func (e *either) Lookup(ctx context.Context, ref string) (*Domain, error) {
	d, err := e.gateway.Lookup(ctx, ref)
	if !errors.Is(err, host.ErrNoDomain) {
		return d, err
	}
	p, oerr := e.other(ctx)
	if oerr == nil {
		d, oerr = p.Lookup(ctx, ref)
	}
	if errors.Is(oerr, fs.ErrPermission) {
		return nil, &Error{Target: fmt.Sprintf("domain %.80q", ref), Err: oerr, Hint: "or have vlibmaster serve, whose configuration allows calls to " +
			"such users by rules [[allow]], and has none for it"}
	}
	return d, oerr
}

func (e *either) Domains(ctx context.Context) ([]*Domain, error) {
	all, err := e.gateway.Domains(ctx)
	if err != nil {
		return nil, err
	}
	p, err := e.other(ctx)
	if err == nil {
		var more []*Domain
		if more, err = p.Domains(ctx); err == nil {
			for _, d := range more {
				if !slices.ContainsFunc(all, func(g *Domain) bool { return g.ID == d.ID }) {
					all = append(all, d)
				}
			}
		}
	}
	if errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return all, err
}

func (e *either) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open == nil {
		return nil
	}
	return e.open.Close()
}
