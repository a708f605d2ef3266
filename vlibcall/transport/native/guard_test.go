// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/conformance"
	"github.com/vlibos/vlibos/vlibcall/transport/memory"
)

// door is a guard that counts its clients.
type door struct {
	refuse func(transport.Peer) error // nil: none

	mu            sync.Mutex
	places, bytes int
	most          int // bytes; 0: any
	last          transport.Peer
	keeps         bool    // watches of clients' memory, which the test closes
	left          []*Lent // in the order of leaving
}

type doorPlace struct {
	d    *door
	size int
}

func (d *door) Admit(p transport.Peer) (Place, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = p
	if d.refuse != nil {
		if err := d.refuse(p); err != nil {
			return nil, err
		}
	}
	d.places++
	return &doorPlace{d: d}, nil
}

func (p *doorPlace) Grow(size int) error {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if p.d.most != 0 && p.d.bytes+size > p.d.most {
		return fmt.Errorf("%w: full", vlibcall.ErrDenied)
	}
	p.size = size
	p.d.bytes += size
	return nil
}

func (p *doorPlace) Leave(m *Lent) {
	p.d.mu.Lock()
	defer p.d.mu.Unlock()
	if p.d.keeps {
		p.d.left = append(p.d.left, m)
	} else {
		m.Close()
	}
	p.d.places--
	p.d.bytes -= p.size
}

func (d *door) inside() (places, bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.places, d.bytes
}

func TestGuardedConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) (transport.Listener, transport.Dialer) {
		dir, d := t.TempDir(), new(door)
		l, err := ListenGuarded(dir, 1, d)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if places, bytes := d.inside(); places != 0 || bytes != 0 {
				t.Errorf("%d places and %d bytes are still taken", places, bytes)
			}
		})
		return l, Domain(dir)
	})
}

// serveGuarded serves t:echo.
func serveGuarded(t *testing.T, d *door) (dir string) {
	dir = t.TempDir()
	l, err := ListenGuarded(dir, 1, d)
	if err != nil {
		t.Fatal(err)
	}
	s := vlibcall.NewServer(l)
	s.Order = vlibcall.InTurn
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if places, bytes := d.inside(); places != 0 || bytes != 0 {
			t.Errorf("%d places and %d bytes are still taken", places, bytes)
		}
	})
	return dir
}

func echoes(t *testing.T, dir string) {
	t.Helper()
	c, err := vlibcall.Open(t.Context(), Domain(dir), vlibcall.Options{Size: 8192, Timeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if out, err := c.Call(t.Context(), "t", "echo", []byte("x"), nil); string(out) != "x" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

func TestGuardKnowsItsClients(t *testing.T) {
	d := new(door)
	dir := serveGuarded(t, d)
	echoes(t, dir)
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if d.last.UID != uint32(os.Getuid()) || d.last.GID != uint32(os.Getgid()) || d.last.PID != int32(os.Getpid()) || len(d.last.Groups) != len(groups) {
		t.Errorf("%+v, groups %v", d.last, groups)
	}
	info, err := os.Stat(Socket(dir, 1))
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// A child with many groups is admitted with all of them.
func TestGuardGetsAllGroups(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("other users: needs root")
	}
	d := &door{refuse: func(p transport.Peer) error { return errors.New("seen") }}
	dir := serveGuarded(t, d)
	for path := dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var groups []uint32
	for g := range uint32(40) {
		groups = append(groups, 70000+g)
	}
	child := exec.Command("/proc/self/exe", "-test.run=^TestDialForParent$")
	child.Env = append(os.Environ(), "VLIBOS_DIAL="+dir)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65533, Groups: groups}}
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if d.last.UID != 65534 || d.last.GID != 65533 || len(d.last.Groups) != 40 || d.last.Groups[39] != 70039 {
		t.Errorf("%+v", d.last)
	}
}

// TestDialForParent is the child of TestPeerGroups.
func TestDialForParent(t *testing.T) {
	dir := os.Getenv("VLIBOS_DIAL")
	if dir == "" {
		t.Skip("only as a child")
	}
	_, err := Domain(dir).Dial(t.Context(), transport.Offer{Port: 1, Size: 8192})
	if err == nil || !strings.Contains(err.Error(), "seen") {
		t.Error(err)
	}
}

func TestRefusedClientsGetTheReason(t *testing.T) {
	d := &door{most: 16 << 10, refuse: func(transport.Peer) error { return fmt.Errorf("%w: not you", vlibcall.ErrDenied) }}
	dir := serveGuarded(t, d)
	// More silent clients than get a reason: they are closed within a second,
	// and delay no other client for longer.
	var silent []net.Conn
	for range 3 * mostRefused {
		c, err := net.Dial("unixpacket", Socket(dir, 1))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	for _, c := range silent {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if _, err := c.Read(make([]byte, 2000)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a client that is refused and says nothing is left")
		}
	}
	_, err := Domain(dir).Dial(t.Context(), transport.Offer{Port: 1, Size: 8192})
	for end := time.Now().Add(20 * time.Second); errors.Is(err, vlibcall.ErrGone) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_, err = Domain(dir).Dial(t.Context(), transport.Offer{Port: 1, Size: 8192})
	}
	if !errors.Is(err, vlibcall.ErrDenied) || !strings.Contains(err.Error(), "not you") {
		t.Errorf("refused: %v", err)
	}
	d.mu.Lock()
	d.refuse = nil
	d.mu.Unlock()
	if _, err := Domain(dir).Dial(t.Context(), transport.Offer{Port: 1, Size: 32 << 10}); !errors.Is(err, vlibcall.ErrDenied) {
		t.Errorf("too many bytes: %v", err)
	}
	echoes(t, dir)
}

// A client makes its events block the process that signals them, fills them,
// and dies; the server continues to serve.
func TestClientCannotHoldUpTheServer(t *testing.T) {
	dir := serveGuarded(t, new(door))
	for _, die := range []bool{false, true} {
		client, err := Domain(dir).Dial(t.Context(), transport.Offer{Port: 1, Size: 8192})
		if err != nil {
			t.Fatal(err)
		}
		e := client.(*endpoint)
		for _, ev := range []*event{e.local, e.remote} {
			full := ^uint64(0) - 2
			b := [8]byte{}
			for i := range b {
				b[i] = byte(full >> (8 * i))
			}
			unix.Write(ev.fd, b[:])
			if err := unix.SetNonblock(ev.fd, false); err != nil {
				t.Fatal(err)
			}
		}
		page, names := memory.Page(e.Header()), memory.Names("t", "echo")
		page.Attach(1)
		page.Word(memory.ClientWaiting).Store(transport.WakeAtEach)
		page.Ask(0, 1, memory.ShapeOf(uint32(len(names)), 0, memory.FlagNames), names)
		if err := e.Notify(); err != nil {
			t.Fatal(err)
		}
		if die {
			e.conn.Close()
		}
		echoes(t, dir)
		if asked := page.Asked(0); !die && asked != 0 {
			t.Errorf("request %d is unanswered", asked)
		}
		if err := e.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}
