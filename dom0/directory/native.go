// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

// nativeDirectory finds domains as directories below dir.
type nativeDirectory struct {
	dir string
	via words
}

// words are what differs where the sockets are not the domains' own.
type words struct {
	host   string
	start  func(name string, port transport.Port) string // how a server comes to be there
	denied string
	// abandoned reports whether a domain's socket was left by a server that has
	// ended; nil: that is not asked.
	abandoned func(native.Domain, transport.Port) bool
}

func newNative(dir string) *nativeDirectory {
	return &nativeDirectory{dir, words{
		host: Native, abandoned: native.Domain.Abandoned, denied: "run as the user who runs the server, or as root",
		start: func(name string, port transport.Port) string {
			text := NativeServer(dir, name)
			if port != vlibcall.DefaultPort {
				text += fmt.Sprintf(" --port %d", port)
			}
			return "start one with: " + text
		},
	}}
}

func (p *nativeDirectory) Name() string { return p.via.host }
func (p *nativeDirectory) Close() error { return nil }

func (p *nativeDirectory) Lookup(ctx context.Context, ref string) (*Domain, error) {
	for _, name := range slices.Compact([]string{ref, host.Canonical(ref)}) {
		if native.CheckName(name) != nil {
			continue // it could be a path out of dir
		}
		info, err := os.Stat(filepath.Join(p.dir, name))
		if err == nil && info.IsDir() {
			return p.domain(name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, p.explain(fmt.Sprintf("domain %.80q", ref), err)
		}
	}
	all, err := p.Domains(ctx)
	if err != nil {
		return nil, err
	}
	return nil, noDomain(ref, all, p.dir, p.dir+" has none: "+p.via.start(ref, vlibcall.DefaultPort))
}

func (p *nativeDirectory) Domains(context.Context) ([]*Domain, error) {
	entries, err := os.ReadDir(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, p.explain("host "+p.via.host, err)
	}
	var all []*Domain
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if d, err := p.domain(e.Name()); err == nil { // else it went meanwhile
			all = append(all, d)
		}
	}
	return all, nil
}

func (p *nativeDirectory) domain(name string) (*Domain, error) {
	dir := filepath.Join(p.dir, name)
	d := &Domain{
		ID: name, Name: name,
		open:     func(context.Context) (dialer, error) { return nativeDialer{native.Domain(dir)}, nil },
		noServer: func(port transport.Port) string { return p.via.start(name, port) },
		denied:   p.via.denied,
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrPermission) {
		return d, nil // what can be seen of it is that it exists
	}
	if err != nil {
		return nil, p.explain(d.target(), err)
	}
	for _, e := range entries {
		if text, ok := strings.CutSuffix(e.Name(), ".sock"); ok {
			if port, ok := parsePort(text); ok {
				d.Ports = append(d.Ports, port)
			}
		}
	}
	slices.Sort(d.Ports)
	if p.via.abandoned != nil {
		d.abandoned = func(port transport.Port) bool { return p.via.abandoned(native.Domain(dir), port) }
	}
	return d, nil
}

func (p *nativeDirectory) explain(target string, err error) error {
	return explain(target, err, "", p.via.denied)
}

// nativeDialer has nothing open between two dials.
type nativeDialer struct{ native.Domain }

// Dial refuses a size that every native server refuses with ErrTooLarge, and says
// in fewer words that there is no server.
func (t nativeDialer) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	if o.Size > native.MaxSize {
		return nil, fmt.Errorf("channel of %d bytes, a native server grants at most %d: %w", o.Size, native.MaxSize, vlibcall.ErrTooLarge)
	}
	ep, err := t.Domain.Dial(ctx, o)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, &silent{native.Socket(string(t.Domain), o.Port), err}
	}
	return ep, err
}

func (nativeDialer) Close() error { return nil }

// silent is a socket that does not exist or that a dead server left.
type silent struct {
	socket string
	err    error
}

func (s *silent) Error() string { return "no server listens on " + s.socket }
func (s *silent) Unwrap() error { return s.err }

// NativeServer is the command that starts a server of the native domain name
// below dir.
func NativeServer(dir, name string) string {
	text := "vlib-server --transport native --name " + shellWord(name)
	if dir != native.DefaultRoot {
		text += " --native-dir " + shellWord(dir)
	}
	return text
}

// shellWord quotes s where a shell would take it apart.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:@%=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(printable(s), "'", `'\''`) + "'"
}
