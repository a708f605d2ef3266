// SPDX-License-Identifier: Apache-2.0

package top

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// terminal is a pseudo-terminal, and what was written to it.
type terminal struct {
	*testing.T
	master, slave *os.File
	before        unix.Termios

	mu      sync.Mutex
	written bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(m.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	x := &terminal{T: t, master: m, slave: s, before: termios(t, s)}
	x.resize(100, 30)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var b [4096]byte
		for {
			n, err := m.Read(b[:])
			x.mu.Lock()
			x.written.Write(b[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { // the reader ends when there is no slave
		s.Close()
		<-done
		m.Close()
	})
	return x
}

func termios(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	v, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *v
}

func (x *terminal) resize(width, height uint16) {
	x.Helper()
	if err := unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height}); err != nil {
		x.Fatal(err)
	}
}

// text takes what was written since the last time.
func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer x.written.Reset()
	return x.written.String()
}

// shows waits until something is written.
func (x *terminal) shows(want string) string {
	x.Helper()
	all := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if all += x.text(); strings.Contains(all, want) {
			return all
		}
	}
	x.Fatalf("it does not show %q but %q", want, all)
	return ""
}

func (x *terminal) press(keys string) {
	x.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.Fatal(err)
	}
}

// given checks that the terminal is as it was.
func (x *terminal) given() {
	x.Helper()
	x.shows(leave)
	if now := termios(x.T, x.slave); now != x.before {
		x.Errorf("%+v, before it was %+v", now, x.before)
	}
}

// asked is a master with a domain whose name is hostile.
type asked struct {
	n     atomic.Int64
	fails atomic.Bool
	hangs atomic.Bool
	bad   atomic.Bool
	hung  chan struct{} // closed when it does not answer
}

func (a *asked) ask(ctx context.Context) (Sample, error) {
	n := a.n.Add(1)
	if a.bad.Load() {
		panic("oh")
	}
	if a.hangs.Load() {
		close(a.hung)
		<-ctx.Done()
		return Sample{}, ctx.Err()
	}
	if a.fails.Load() {
		return Sample{}, errors.New("nobody\x1b[31m there")
	}
	return Sample{At: start.Add(time.Duration(n) * time.Second), Host: control.Host{Host: "test", Reservations: []api.Status{
		status(2048, "web\x1b[5m", "1", time.Duration(n)*250*ms, 0, 0),
	}}}, nil
}

// begin runs a display until the test has ended it; ended waits for its error.
func begin(ctx context.Context, x *terminal, a *asked) (ended func() error) {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("panic: %v", v)
			}
		}()
		done <- Run(ctx, Options{Ask: a.ask, Every: 5 * ms, In: x.slave, Out: x.slave})
	}()
	return func() error {
		x.Helper()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			x.Fatal("it does not end")
			return nil
		}
	}
}

func TestKeys(t *testing.T) {
	x, a := newTerminal(t), new(asked)
	ended := begin(t.Context(), x, a)
	all := x.shows(" 25.0 ")
	if strings.Contains(all, "\x1b[5m") || !strings.Contains(all, "web�[5m") {
		t.Errorf("%q", all)
	}
	x.press("s")
	x.shows("sorted by name")
	x.press("?")
	x.shows("go on")
	x.press("?p")
	x.shows("PAUSED")
	for n := a.n.Load(); a.n.Load() < n+3; { // answers come that are not shown
		runtime.Gosched()
	}
	x.text()
	x.press("s")
	if all := x.shows("sorted by delay"); strings.Contains(all, "?: help") {
		t.Errorf("it goes on: %q", all)
	}
	x.press("p")
	x.shows("?: help")
	x.press("\x1b[A") // an arrow is nothing
	x.press("q")
	if err := ended(); err != nil {
		t.Error(err)
	}
	x.given()
}

func TestResize(t *testing.T) {
	x, a := newTerminal(t), new(asked)
	ended := begin(t.Context(), x, a)
	x.shows("PROBLEM")
	x.resize(20, 4)
	// The signal goes to a terminal's own session, which this one has not.
	if err := unix.Kill(unix.Getpid(), unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	x.shows("DOMAIN  NAME     FO…")
	x.press("\x03") // Ctrl-C
	if err := ended(); err != nil {
		t.Error(err)
	}
	x.given()
}

// A master that goes away and comes back.
func TestMasterThatFails(t *testing.T) {
	x, a := newTerminal(t), &asked{hung: make(chan struct{})}
	ended := begin(t.Context(), x, a)
	x.shows("?: help")
	a.fails.Store(true)
	x.shows("nobody�[31m there")
	a.fails.Store(false)
	x.shows("?: help")
	a.hangs.Store(true)
	<-a.hung
	x.press("q") // while it does not answer
	if err := ended(); err != nil {
		t.Error(err)
	}
	x.given()
	if err := Run(t.Context(), Options{Ask: func(context.Context) (Sample, error) { return Sample{}, control.ErrNoMaster }}); !errors.Is(err, control.ErrNoMaster) {
		t.Errorf("from the start: %v", err)
	}
}

func TestEveryWayOutGivesTheTerminalBack(t *testing.T) {
	t.Run("signal", func(t *testing.T) {
		x, a := newTerminal(t), new(asked)
		ctx, cancel := context.WithCancel(t.Context())
		ended := begin(ctx, x, a)
		x.shows("?: help")
		cancel() // what main does of SIGTERM
		if err := ended(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		x.given()
	})
	t.Run("panic", func(t *testing.T) {
		x, a := newTerminal(t), new(asked)
		ended := begin(t.Context(), x, a)
		x.shows("?: help")
		a.bad.Store(true)
		if err := ended(); err == nil || err.Error() != "panic: oh" {
			t.Error(err)
		}
		x.given()
	})
	t.Run("no terminal", func(t *testing.T) {
		f, err := os.Open("/dev/null")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := Run(t.Context(), Options{Ask: new(asked).ask, Every: ms, In: f, Out: f}); err == nil {
			t.Error("/dev/null was taken for a terminal")
		}
	})
}
