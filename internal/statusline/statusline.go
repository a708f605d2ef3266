// SPDX-License-Identifier: Apache-2.0

package statusline

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Line is the line. It is not safe for concurrent use.
type Line struct {
	out      io.Writer
	terminal *os.File // nil: out is no terminal
}

// New returns a line on out, which changes in place if out is a terminal.
func New(out io.Writer) Line {
	l := Plain(out)
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		l.terminal = f
	}
	return l
}

// Plain returns a line on out that never changes in place.
func Plain(out io.Writer) Line { return Line{out: out} }

// Terminal reports whether the line changes in place.
func (l Line) Terminal() bool { return l.terminal != nil }

// Show writes a text. On a terminal it replaces the last one and is cut at the width.
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

// Clear empties the line on a terminal.
func (l Line) Clear() {
	if l.Terminal() {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

// narrowest is the smallest width that is believed: some terminals report 0.
const narrowest = 20

// cut leaves the last column free: some terminals begin a new line after it.
func cut(text string, width int) string {
	width = max(width, narrowest)
	if r := []rune(text); len(r) >= width {
		return string(r[:width-1])
	}
	return text
}

// Stages is a writer that calls a function with each line.
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
