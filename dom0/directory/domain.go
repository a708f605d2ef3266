// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall/transport"
)

// dialer opens channels to one domain.
type dialer interface {
	transport.Dialer
	Close() error
}

// Domain is a domain as it was found. It implements transport.Dialer and is
// safe for concurrent use. The owner closes it, after the channels that it
// dialled.
type Domain struct {
	ID    string           // domid on Xen, the name on the native host
	Name  string           // empty if it has none
	UUID  string           // empty on the native host
	Ports []transport.Port // on which a server was announced when it was looked up

	open      func(ctx context.Context) (dialer, error)
	noServer  func(port transport.Port) string // how to start one
	denied    string                           // what to do when it is not permitted
	abandoned func(port transport.Port) bool   // nil: what is announced counts as served

	mu     sync.Mutex
	t      dialer
	closed bool
}

// String is how messages name the domain.
func (d *Domain) String() string {
	if d.Name == "" || d.Name == d.ID {
		return d.ID
	}
	return d.ID + " (" + printable(d.Name) + ")"
}

func (d *Domain) target() string { return "domain " + d.String() }

// Dial implements transport.Dialer. Without a server it is ErrNoServer, which also
// matches vlibcall.ErrGone; what this user may not do is fs.ErrPermission. Other
// errors are the transport's.
func (d *Domain) Dial(ctx context.Context, o transport.Offer) (transport.ClientEndpoint, error) {
	t, err := d.dialer(ctx)
	if err == nil {
		var ep transport.ClientEndpoint
		if ep, err = t.Dial(ctx, o); err == nil {
			return ep, nil
		}
	}
	return nil, explain(d.target(), err, d.wayToServer(o.Port), d.denied)
}

// dialer opens what leads to the domain, once.
func (d *Domain) dialer(ctx context.Context) (dialer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, os.ErrClosed
	}
	if d.t == nil {
		t, err := d.open(ctx)
		if err != nil {
			return nil, err
		}
		d.t = t
	}
	return d.t, nil
}

// Close frees what Dial opened. Idempotent.
func (d *Domain) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.t == nil {
		return nil
	}
	t := d.t
	d.t = nil
	return t.Close()
}

// Serves reports whether a server was announced on port.
func (d *Domain) Serves(port transport.Port) bool { return slices.Contains(d.Ports, port) }

// Listening divides Ports: on some a server listens now, on the others one has left
// its socket. On the native host it connects to each.
func (d *Domain) Listening() (ports, left []transport.Port) {
	for _, port := range d.Ports {
		if d.abandoned != nil && d.abandoned(port) {
			left = append(left, port)
		} else {
			ports = append(ports, port)
		}
	}
	return ports, left
}

func (d *Domain) wayToServer(port transport.Port) string {
	ports, _ := d.Listening()
	if len(ports) == 0 || slices.Contains(ports, port) {
		return d.noServer(port)
	}
	return fmt.Sprintf("one listens on port %s; %s", joinPorts(ports), d.noServer(port))
}

// listed is String where other domains are listed: one whose servers have ended says
// so, and one of which that cannot be seen does not.
func (d *Domain) listed() string {
	if ports, _ := d.Listening(); d.abandoned != nil && len(ports) == 0 {
		return d.String() + " (no server)"
	}
	return d.String()
}

func joinPorts(ports []transport.Port) string {
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = strconv.FormatUint(uint64(p), 10)
	}
	return strings.Join(words, ", ")
}

// maxNamed bounds how many domains an error lists.
const maxNamed = 20

// noDomain is host.ErrNoDomain with what there is instead.
func noDomain(ref string, all []*Domain, where, ifNone string) error {
	names := make([]string, 0, maxNamed+1)
	for i, d := range all {
		if i == maxNamed {
			names = append(names, fmt.Sprintf("%d more", len(all)-i))
			break
		}
		names = append(names, d.listed())
	}
	way := ifNone
	if len(names) > 0 {
		way = where + " has " + strings.Join(names, ", ")
	}
	return &Error{Target: fmt.Sprintf("domain %.80q", ref), Err: host.ErrNoDomain, Hint: way}
}

// parsePort reads a port as the servers write it. The text may come from a
// guest.
func parsePort(s string) (transport.Port, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return transport.Port(n), err == nil && strconv.FormatUint(n, 10) == s
}

// printable quotes names with characters that a terminal would act on.
func printable(name string) string {
	if q := strconv.Quote(name); q != `"`+name+`"` {
		return q
	}
	return name
}
