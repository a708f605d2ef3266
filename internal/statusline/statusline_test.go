// SPDX-License-Identifier: Apache-2.0

package statusline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

func TestWithoutATerminalEachTextIsALine(t *testing.T) {
	var b bytes.Buffer
	l := New(&b)
	l.Show("one")
	l.Show("two")
	l.Clear()
	if got, want := b.String(), "one\ntwo\n"; got != want || l.Terminal() {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATerminalHasOneLineThatFits(t *testing.T) {
	host, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	if err := pty.Setsize(terminal, &pty.Winsize{Cols: 24, Rows: 10}); err != nil {
		t.Fatal(err)
	}
	l := New(terminal)
	if !l.Terminal() || Plain(terminal).Terminal() {
		t.Error("terminals are not told from other files")
	}
	l.Show("grüße")
	l.Show("1234567890123456789012é4567")
	l.Clear()
	want := "\r\x1b[Kgrüße\r\x1b[K1234567890123456789012é\r\x1b[K"
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	// After the written text, a terminal that is not open elsewhere is EIO.
	if got, err := io.ReadAll(host); !errors.Is(err, unix.EIO) || string(got) != want {
		t.Errorf("got %q, want %q: %v", got, want, err)
	}
}

func TestStagesAreLinesWithText(t *testing.T) {
	var got []string
	fmt.Fprint(Stages(func(s string) { got = append(got, s) }), "one\n\n two ")
	if want := []string{"one", "two"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
