// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/xenctl/xenstore"
	"github.com/vlibos/vlibos/xenctl/xenstore/xenstoretest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// storeWith runs a xenstored that this process then finds.
func storeWith(t *testing.T, nodes map[string]string) *xenstoretest.Server {
	t.Helper()
	s, err := xenstoretest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	t.Setenv("XENSTORED_PATH", s.Path)
	c, err := xenstore.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for path, value := range nodes {
		if err := c.Write(context.Background(), path, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func openDirectory(t *testing.T, c Config) Directory {
	t.Helper()
	p, err := Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

const webUUID = "0d4f4a4e-1111-2222-3333-444455556666"

var someDomains = map[string]string{
	"/local/domain/0/name":                 "Domain-0",
	"/local/domain/0/vm":                   "/vm/00000000-0000-0000-0000-000000000000",
	"/local/domain/3/name":                 "vlib1",
	"/local/domain/3/vm":                   "/vm/" + webUUID,
	"/local/domain/3/data/vlibos/9/server": "revision=2 max=4096",
	"/local/domain/3/data/vlibos/1/server": "revision=2 max=4096",
	// What a guest may write to confuse us.
	"/local/domain/3/data/vlibos/01/server":         "x",
	"/local/domain/3/data/vlibos/-1/server":         "x",
	"/local/domain/3/data/vlibos/4294967296/server": "x",
	"/local/domain/3/data/vlibos/5/request":         "x",
	"/local/domain/12/name":                         "3",
	"/local/domain/13/name":                         "twin",
	"/local/domain/14/name":                         "twin",
}

func TestXenLookup(t *testing.T) {
	storeWith(t, someDomains)
	p := openDirectory(t, Config{Host: Xen})
	for _, tt := range []struct{ ref, id, name string }{
		{"3", "3", "vlib1"}, // the number before the name
		{"0003", "3", "vlib1"},
		{"vlib1", "3", "vlib1"},
		{webUUID, "3", "vlib1"},
		{strings.ToUpper(webUUID), "3", "vlib1"},
		{"0", "0", "Domain-0"},
		{"12", "12", "3"},
	} {
		d, err := p.Lookup(context.Background(), tt.ref)
		if err != nil {
			t.Errorf("%s: %v", tt.ref, err)
			continue
		}
		if d.ID != tt.id || d.Name != tt.name {
			t.Errorf("%s: %s %q, want %s %q", tt.ref, d.ID, d.Name, tt.id, tt.name)
		}
		if want := []transport.Port{1, 9}; d.ID == "3" && !slices.Equal(d.Ports, want) {
			t.Errorf("ports %v, want %v", d.Ports, want)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	for ref, want := range map[string]string{
		"4":      `domain "4": no such domain: xenstore has 0 (Domain-0), 3 (vlib1), 12 (3), 13 (twin), 14 (twin)`,
		"vlib":   "xenstore has 0 (Domain-0)",
		"":       `domain "": no such domain`,
		"32752":  "no such domain", // DOMID_FIRST_RESERVED
		"../3":   "no such domain",
		"twin":   `domain "twin": several domains have this name: use a number or UUID: 13, 14`,
		"\x1b[m": `domain "\x1b[m"`,
	} {
		_, err := p.Lookup(context.Background(), ref)
		if !errors.Is(err, host.ErrNoDomain) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want …%s…", ref, err, want)
		}
	}
}

func TestXenErrorsOfManyDomainsStayShort(t *testing.T) {
	nodes := map[string]string{}
	for id := range 50 {
		nodes[fmt.Sprintf("/local/domain/%d/name", id)] = fmt.Sprintf("d%d\x1b", id)
	}
	storeWith(t, nodes)
	p := openDirectory(t, Config{Host: Xen})
	_, err := p.Lookup(context.Background(), "x")
	if err == nil || !strings.HasSuffix(err.Error(), `19 ("d19\x1b"), 30 more`) {
		t.Error(err)
	}
}

// A guest can fill its data with nodes; looking at it stays bounded.
func TestXenManyPorts(t *testing.T) {
	nodes := map[string]string{"/local/domain/1/name": "full"}
	for port := range 300 {
		nodes[fmt.Sprintf("/local/domain/1/data/vlibos/%d/server", port)] = "x"
	}
	s := storeWith(t, nodes)
	p := openDirectory(t, Config{Host: Xen})
	before := s.Requests()
	d, err := p.Lookup(context.Background(), "1")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Requests() - before; len(d.Ports) != maxPorts || n > maxPorts+10 {
		t.Errorf("%d ports after %d requests", len(d.Ports), n)
	}
}

// A guest whose part of xenstore cannot be read, which it can bring about by
// changing it without end, is in lists, and keeps no other from being found.
func TestXenGuestHidesNoOthers(t *testing.T) {
	s := storeWith(t, someDomains)
	p := openDirectory(t, Config{Host: Xen})
	s.Intercept(func(conn net.Conn, r xenstoretest.Request) bool {
		return strings.HasPrefix(string(r.Payload), "/local/domain/3/data/") && refuse(conn, r, "EINVAL")
	})
	for _, ref := range []string{"Domain-0", "vlib1", "3"} {
		if _, err := p.Lookup(context.Background(), ref); err != nil {
			t.Error(err)
		}
	}
	if all, err := p.Domains(context.Background()); err != nil || len(all) != 5 {
		t.Errorf("%d domains, %v", len(all), err)
	}
}

// Looking a domain up and opening the way to it takes one connection to xenstored,
// and closing that way leaves the connection to the directory.
func TestCallByNameOpensXenstoreOnce(t *testing.T) {
	s := storeWith(t, someDomains)
	p := openDirectory(t, Config{Host: Xen})
	d, err := p.Lookup(t.Context(), "vlib1")
	if err != nil {
		t.Fatal(err)
	}
	before := s.Connections()
	if _, err := d.Dial(t.Context(), transport.Offer{Port: 1, Size: 8192}); err == nil {
		t.Error("a channel without a guest")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Lookup(t.Context(), "vlib1"); err != nil {
		t.Errorf("after the domain is closed: %v", err)
	}
	if n := s.Connections() - before; n != 0 {
		t.Errorf("%d more connections than the directory's", n)
	}
}

func TestXenNotPermitted(t *testing.T) {
	s := storeWith(t, someDomains)
	p := openDirectory(t, Config{Host: Xen})
	s.Intercept(func(conn net.Conn, r xenstoretest.Request) bool { return refuse(conn, r, "EACCES") })
	_, err := p.Domains(context.Background())
	if !errors.Is(err, fs.ErrPermission) || !strings.HasSuffix(err.Error(), asRoot) {
		t.Errorf("list: %v", err)
	}
	_, err = p.Lookup(context.Background(), "3")
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("look up: %v", err)
	}
}

func TestXenstoredThatIsNotThere(t *testing.T) {
	t.Setenv("XENSTORED_PATH", t.TempDir()+"/socket")
	_, err := Open(context.Background(), Config{Host: Xen})
	if !errors.Is(err, ErrNoXen) || !strings.Contains(err.Error(), "doctor") {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	violated := fmt.Errorf("%w: bind: %w", vlibcall.ErrProtocol, net.ErrClosed)
	for _, tt := range []struct{ err, want error }{
		{nil, nil},
		{fmt.Errorf("x: %w", vlibcall.ErrGone), ErrNoServer},
		{violated, vlibcall.ErrProtocol},
		{vlibcall.ErrTimeout, vlibcall.ErrTimeout},
	} {
		got := explain("domain 1", tt.err, "start one", asRoot)
		if !errors.Is(got, tt.want) || !errors.Is(got, tt.err) {
			t.Errorf("%v became %v, want %v", tt.err, got, tt.want)
		}
	}
}

// refuse answers a request with XS_ERROR, 16 in <xen/io/xs_wire.h>.
func refuse(conn net.Conn, r xenstoretest.Request, name string) bool {
	b := binary.LittleEndian.AppendUint32(nil, 16)
	b = binary.LittleEndian.AppendUint32(b, r.ID)
	b = binary.LittleEndian.AppendUint32(b, r.Tx)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(name)+1))
	conn.Write(append(append(b, name...), 0)) // a client that left is no error here
	return true
}
