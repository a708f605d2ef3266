// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/native"
)

func TestNative(t *testing.T) {
	dir := t.TempDir()
	for _, port := range []transport.Port{7, 1} {
		l, err := native.Listen(filepath.Join(dir, "web"), port)
		if err != nil {
			t.Fatal(err)
		}
		s := vlibcall.NewServer(l)
		s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- s.Serve(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range []string{"web/x.sock", "web/01.sock", "file"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := openDirectory(t, Config{Host: Native, NativeDir: dir})
	d, err := p.Lookup(context.Background(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if want := []transport.Port{1, 7}; !slices.Equal(d.Ports, want) || !d.Serves(7) || d.Serves(2) {
		t.Errorf("ports %v, want %v", d.Ports, want)
	}
	c, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Port: 7, Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Call(context.Background(), "t", "echo", []byte("x"), nil); string(out) != "x" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if err := errors.Join(c.Close(), d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	if _, err := d.Dial(context.Background(), transport.Offer{Port: 1, Size: 8192}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("dial after Close: %v", err)
	}
	for _, ref := range []string{"file", "nope", "", ".", "..", "../" + filepath.Base(dir), "web/", "web\x00"} {
		_, err := p.Lookup(context.Background(), ref)
		if !errors.Is(err, host.ErrNoDomain) || !strings.HasSuffix(err.Error(), dir+" has web") {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestNativeNobodyListens(t *testing.T) {
	dir := t.TempDir()
	// A socket that a dead server left, and one that never was.
	stale := filepath.Join(dir, "it's", "1.sock")
	if err := os.MkdirAll(filepath.Dir(stale), 0o755); err != nil {
		t.Fatal(err)
	}
	bindAndDie(t, stale)
	p := openDirectory(t, Config{Host: Native, NativeDir: dir})
	d, err := p.Lookup(context.Background(), "it's")
	if err != nil {
		t.Fatal(err)
	}
	for port, want := range map[transport.Port]string{
		1: `start one with: vlib-server --transport native --name 'it'\''s'`,
		2: "2.sock: start one with: ",
	} {
		_, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Port: port, Size: 8192})
		if !errors.Is(err, ErrNoServer) || !errors.Is(err, vlibcall.ErrGone) || !strings.Contains(err.Error(), want) {
			t.Errorf("port %d: %v, want …%s…", port, err, want)
		}
	}
	if ports, left := d.Listening(); len(ports) != 0 || !slices.Equal(left, []transport.Port{1}) {
		t.Errorf("listening %v, left %v", ports, left)
	}
	live, err := native.Listen(filepath.Join(dir, "web"), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if _, err := p.Lookup(context.Background(), "nope"); err == nil || !strings.HasSuffix(err.Error(), " has it's (no server), web") {
		t.Errorf("a list of domains: %v", err)
	}
	_, err = vlibcall.Open(context.Background(), d, vlibcall.Options{Size: native.MaxSize + 4096})
	if !errors.Is(err, vlibcall.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestNativeWithoutDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	p := openDirectory(t, Config{Host: Native, NativeDir: dir})
	all, err := p.Domains(context.Background())
	if len(all) != 0 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	_, err = p.Lookup(context.Background(), "x")
	if !errors.Is(err, host.ErrNoDomain) || !strings.Contains(err.Error(), "start one with: vlib-server") {
		t.Error(err)
	}
}

func TestDetect(t *testing.T) {
	for _, tt := range []struct {
		files map[string]string
		want  Traces
		on    string
	}{
		{nil, Traces{}, Native},
		{map[string]string{"sys/hypervisor/type": "xen\n"}, Traces{Type: "xen"}, Native},
		{map[string]string{"sys/hypervisor/type": "kvm\n", "dev/xen/privcmd": ""}, Traces{Type: "kvm", Privcmd: true}, Native},
		{map[string]string{"sys/hypervisor/type": "xen\n", "dev/xen/privcmd": ""}, Traces{Type: "xen", Privcmd: true}, Xen},
		{map[string]string{"proc/xen/capabilities": "control_d\n", "dev/xen/privcmd": ""}, Traces{Xenfs: true, Dom0: true, Privcmd: true}, Xen},
		{map[string]string{"proc/xen/capabilities": "", "dev/xen/privcmd": ""}, Traces{Xenfs: true, Privcmd: true}, Xen},
	} {
		root := t.TempDir()
		for name, text := range tt.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := Detect(root); got != tt.want || got.Host() != tt.on {
			t.Errorf("%v: %+v %s, want %+v %s", tt.files, got, got.Host(), tt.want, tt.on)
		}
	}
}

func TestUnknownHost(t *testing.T) {
	if _, err := Open(context.Background(), Config{Host: "kvm"}); err == nil {
		t.Error("no error")
	}
}

// bindAndDie leaves a socket without a server.
func bindAndDie(t *testing.T, path string) {
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
