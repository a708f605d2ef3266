// SPDX-License-Identifier: Apache-2.0

package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/testkit"
	"github.com/vlibos/vlibos/vlibcall"
	"github.com/vlibos/vlibos/vlibcall/transport"
	"github.com/vlibos/vlibos/vlibcall/transport/conformance"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func listen(t *testing.T) (transport.Listener, transport.Dialer) {
	dir := t.TempDir()
	l, err := Listen(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	return l, Domain(dir)
}

func TestConformance(t *testing.T) { conformance.Run(t, listen) }

// pair returns the two ends of a socket pair.
func pair(t *testing.T) (ends [2]*net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		ends[i] = c.(*net.UnixConn)
	}
	return ends
}

// A process that serves one socket pair would not end if its channel is not made.
func TestWaitEndsIfTheChannelOfASocketPairIsNotMade(t *testing.T) {
	for want, hello := range map[string][]byte{"channel revision 0": make([]byte, helloSize), "EOF": nil} {
		ends := pair(t)
		l, err := Accepted(ends[0])
		if err != nil {
			t.Fatal(err)
		}
		if hello != nil {
			ends[1].Write(hello)
		}
		ends[1].Close()
		if _, err := l.Wait(time.Now().Add(testkit.Patience)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSocketPairCarriesOneChannel(t *testing.T) {
	conns := pair(t)
	l, err := Accepted(conns[0])
	if err != nil {
		t.Fatal(err)
	}
	s := vlibcall.NewServer(l)
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	d := NewConn(conns[1])
	c, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Size: 8192})
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Call(context.Background(), "t", "echo", []byte("x"), nil); string(out) != "x" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if _, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Size: 8192}); err == nil {
		t.Error("a second channel over one pair")
	}
	c.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	if _, err := Domain(dir).Dial(context.Background(), transport.Offer{Port: 1, Size: 8192}); !errors.Is(err, vlibcall.ErrGone) {
		t.Errorf("no server: %v", err)
	}
	l, err := Listen(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir, 1); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("second server: %v", err)
	}
	_, err = Domain(dir).Dial(context.Background(), transport.Offer{Port: 1, Size: MaxSize + 4096})
	if !errors.Is(err, vlibcall.ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprint("at most ", MaxSize)) {
		t.Errorf("too large: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := l.Wait(time.Time{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait after Close: %v", err)
	}
}

func TestNothingLeaksOverThousandChannels(t *testing.T) {
	l, d := listen(t)
	s := vlibcall.NewServer(l)
	s.Handle("t", "echo", func(c *vlibcall.Call) error { return c.Reply(c.Input()) })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx) }()
	round := func() {
		c, err := vlibcall.Open(context.Background(), d, vlibcall.Options{Size: 8192})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(context.Background(), "t", "echo", []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	round()
	for range 1000 {
		round()
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(testkit.Descriptors()); n > 20 {
		t.Errorf("%d descriptors are open", n)
	}
	if n := strings.Count(string(maps), "vlibos-channel"); n != 0 {
		t.Errorf("%d channels are mapped", n)
	}
}

func TestMemoryThatCanShrinkIsRefused(t *testing.T) {
	fd, err := unix.MemfdCreate("bare", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "bare")
	defer f.Close()
	if err := f.Truncate(8192); err != nil {
		t.Fatal(err)
	}
	if _, err := mapMemory(int(f.Fd()), 8192); err == nil {
		t.Error("mapped memory that its owner can take away")
	}
}
