// SPDX-License-Identifier: Apache-2.0

package statusline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLinesFollowEachOtherWithoutATerminal(t *testing.T) {
	var b bytes.Buffer
	l := New(&b)
	l.Show("one")
	l.Show("two")
	l.Clear()
	if got, want := b.String(), "one\ntwo\n"; got != want || l.Terminal() {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLineIsOverwrittenOnATerminal(t *testing.T) {
	host, terminal := pty(t)
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 24, Row: 10}); err != nil {
		t.Fatal(err)
	}
	l := New(terminal)
	if !l.Terminal() || Plain(terminal).Terminal() {
		t.Error("a pty is not taken for a terminal")
	}
	l.Show("grüße")
	l.Show("1234567890123456789012é4567")
	l.Clear()
	want := "\r\x1b[Kgrüße\r\x1b[K1234567890123456789012é\r\x1b[K"
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	// After its output, a terminal that no process has open returns EIO.
	if got, err := io.ReadAll(host); !errors.Is(err, unix.EIO) || string(got) != want {
		t.Errorf("got %q, want %q: %v", got, want, err)
	}
}

// pty opens a terminal and the end that receives its output.
func pty(t *testing.T) (host, terminal *os.File) {
	t.Helper()
	host, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	n, err := unix.IoctlGetInt(int(host.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(host.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return host, terminal
}

func TestEachLineIsAStage(t *testing.T) {
	var got []string
	fmt.Fprint(Stages(func(s string) { got = append(got, s) }), "one\n\n two ")
	if want := []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
