// SPDX-License-Identifier: Apache-2.0

package statusline

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Line is a status line. One goroutine at a time may use it.
type Line struct {
	out      io.Writer
	terminal *os.File // nil: out is not a terminal
}

// New returns the status line on out.
func New(out io.Writer) Line {
	l := Plain(out)
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		l.terminal = f
	}
	return l
}

// Plain treats out as not a terminal, even if it is one.
func Plain(out io.Writer) Line { return Line{out: out} }

// Terminal reports whether the line changes in place.
func (l Line) Terminal() bool { return l.terminal != nil }

// Show writes a line; on a terminal over the last one, cut to its width.
func (l Line) Show(text string) {
	if !l.Terminal() {
		fmt.Fprintln(l.out, text)
		return
	}
	if width, _, err := term.GetSize(int(l.terminal.Fd())); err == nil {
		text = cut(text, width)
	}
	fmt.Fprintf(l.out, "\r\x1b[K%s", text)
}

// Clear ends the display: on a terminal it leaves the line empty.
func (l Line) Clear() {
	if l.Terminal() {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

// narrowest is the smallest width assumed of a terminal, since some report 0.
const narrowest = 20

// cut leaves the last column free, as some terminals begin a new line there.
func cut(text string, width int) string {
	width = max(width, narrowest)
	if r := []rune(text); len(r) >= width {
		return string(r[:width-1])
	}
	return text
}

// Stages is a function called with each line that is written to it.
type Stages func(stage string)

// Write implements io.Writer. Empty lines are skipped.
func (s Stages) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			s(line)
		}
	}
	return len(b), nil
}
