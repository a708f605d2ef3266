// SPDX-License-Identifier: Apache-2.0

package top

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// terminal is a pseudo-terminal and the text that was written to it.
type terminal struct {
	*testing.T
	master, slave *os.File
	before        unix.Termios

	mu      sync.Mutex
	written bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	m, s, err := pty.Open()
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
	if err := pty.Setsize(x.master, &pty.Winsize{Cols: width, Rows: height}); err != nil {
		x.Fatal(err)
	}
}

// text returns what was written since the last call.
func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	defer x.written.Reset()
	return x.written.String()
}

// shows waits until the text is written.
func (x *terminal) shows(want string) string {
	x.Helper()
	all := ""
	if !testkit.Holds(func() bool { all += x.text(); return strings.Contains(all, want) }) {
		x.Fatalf("it does not show %q but %q", want, all)
	}
	return all
}

func (x *terminal) press(keys string) {
	x.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.Fatal(err)
	}
}

// given checks that the terminal is in its earlier state.
func (x *terminal) given() {
	x.Helper()
	x.shows("\x1b[?1049l")
	if now := termios(x.T, x.slave); now != x.before {
		x.Errorf("%+v, before it was %+v", now, x.before)
	}
}

// asked is a master with a domain whose name is hostile.
type asked struct {
	n     atomic.Int64
	hangs atomic.Bool
	bad   atomic.Bool
	hung  chan struct{} // closed when it does not answer
}

func (a *asked) ask(ctx context.Context) (Sample, error) {
	switch {
	case a.bad.Load():
		panic("oh")
	case a.hangs.Load():
		close(a.hung)
		<-ctx.Done()
		return Sample{}, ctx.Err()
	}
	return sample(int(a.n.Add(1))), nil
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

// screen is what a display shows after messages.
func screen(d *display, messages ...tea.Msg) string {
	for _, m := range messages {
		d.Update(m)
	}
	return d.View().Content
}

func key(c rune) tea.Msg { return tea.KeyPressMsg{Code: c, Text: string(c)} }

func sample(n int) Sample {
	return Sample{At: start.Add(time.Duration(n) * time.Second), Host: api.Host{Host: "test", Reservations: []api.Status{
		status(2048, "web\x1b[5m", "1", time.Duration(n)*250*ms, 0, 0),
	}}}
}

func TestKeysSortPauseAndExplain(t *testing.T) {
	d := &display{before: sample(1), now: sample(1)}
	shows := func(want string, messages ...tea.Msg) {
		t.Helper()
		if got := screen(d, messages...); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	shows(" 25.0 ", answer{sample: sample(2)})
	shows("sorted by name", key('s'))
	shows("pause, and continue", key('?'))
	shows("PAUSED", key('?'), key('p'))
	shows("03:04:07", answer{sample: sample(3)}) // which is not shown
	shows("sorted by delay", key('s'))
	shows("?: help", key('p'))
	shows("03:04:08", answer{sample: sample(3)}, tea.KeyPressMsg{Code: tea.KeyUp})
	shows("no master�[31m there", answer{err: errors.New("no master\x1b[31m there")})
	shows("?: help", answer{sample: sample(4)})
	for _, end := range []tea.Msg{key('q'), tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}} {
		if _, cmd := d.Update(end); cmd == nil || cmd() != (tea.QuitMsg{}) {
			t.Errorf("%v does not end it", end)
		}
	}
}

func TestResizeChangesHowManyRowsAreShown(t *testing.T) {
	x, a := newTerminal(t), new(asked)
	ended := begin(t.Context(), x, a)
	x.shows("PROBLEM")
	x.resize(20, 4)
	// The signal goes to the terminal's session, which this process is not in.
	if err := unix.Kill(unix.Getpid(), unix.SIGWINCH); err != nil {
		t.Fatal(err)
	}
	if all := x.shows("DOMAIN  NAME"); strings.Contains(all, "PROBLEM") {
		t.Errorf("it is not cut at the width: %q", all)
	}
	x.press("\x03") // Ctrl-C
	if err := ended(); err != nil {
		t.Error(err)
	}
	x.given()
}

func TestAMasterThatHangsDoesNotKeepTheDisplay(t *testing.T) {
	x, a := newTerminal(t), &asked{hung: make(chan struct{})}
	ended := begin(t.Context(), x, a)
	x.shows("web�[5m")
	a.hangs.Store(true)
	<-a.hung
	x.press("q")
	if err := ended(); err != nil {
		t.Error(err)
	}
	x.given()
}

func TestTheFirstErrorIsReturned(t *testing.T) {
	if err := Run(t.Context(), Options{Ask: func(context.Context) (Sample, error) { return Sample{}, api.ErrNoMaster }}); !errors.Is(err, api.ErrNoMaster) {
		t.Error(err)
	}
}

func TestEveryWayOutGivesTheTerminalBack(t *testing.T) {
	t.Run("signal", func(t *testing.T) {
		x, a := newTerminal(t), new(asked)
		ctx, cancel := context.WithCancel(t.Context())
		ended := begin(ctx, x, a)
		x.shows("help")
		cancel() // as main does on SIGTERM
		if err := ended(); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		x.given()
	})
	t.Run("panic", func(t *testing.T) {
		x, a := newTerminal(t), new(asked)
		ended := begin(t.Context(), x, a)
		x.shows("help")
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

func TestTheDisplayEndsWithItsTerminal(t *testing.T) {
	m, s, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := new(asked)
	done := make(chan error, 1)
	go func() { done <- Run(t.Context(), Options{Ask: a.ask, Every: 5 * ms, In: s, Out: s}) }()
	if _, err := m.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	m.Close()
	select {
	case <-done: // with or without an error: the user has gone
	case <-time.After(testkit.Patience):
		t.Fatal("it does not end")
	}
}
