// SPDX-License-Identifier: Apache-2.0

package statusline

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Line is the line. It is for one goroutine at a time.
type Line struct {
	out      io.Writer
	terminal *os.File // nil: it is none
}

// New returns the line of what out writes to.
func New(out io.Writer) Line {
	l := Plain(out)
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		l.terminal = f
	}
	return l
}

// Plain takes out for no terminal, whatever it is.
func Plain(out io.Writer) Line { return Line{out: out} }

// Terminal reports whether the line is one that changes.
func (l Line) Terminal() bool { return l.terminal != nil }

// Show writes a line; on a terminal over the last, and no more than fits.
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

// Clear ends the display: on a terminal the line is empty then.
func (l Line) Clear() {
	if l.Terminal() {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

// narrowest is a terminal that is written to for as wide, for some say 0.
const narrowest = 20

// cut leaves the last column free, where some terminals begin a new line.
func cut(text string, width int) string {
	width = max(width, narrowest)
	if r := []rune(text); len(r) >= width {
		return string(r[:width-1])
	}
	return text
}

// Stages is called with each line that is written to it.
type Stages func(stage string)

// Write implements io.Writer. Empty lines are left out.
func (s Stages) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			s(line)
		}
	}
	return len(b), nil
}
