// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress says what is done now and for how long: on a terminal in one line
// that changes, elsewhere a line each time. It is for one goroutine.
type progress struct {
	out   io.Writer
	width int // of the terminal; 0: it is none
	start time.Time
	name  string
	takes time.Duration
}

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, start: time.Now()}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			p.width = max(w, 20)
		}
	}
	return p
}

// begin is a new experiment.
func (p *progress) begin(name string, takes time.Duration) {
	p.name, p.takes, p.start = name, takes, time.Now()
	p.set("looking at the machine")
}

// set shows what is done now; "" is the end of the display.
func (p *progress) set(stage string) {
	if stage == "" {
		p.close()
		return
	}
	line := fmt.Sprintf("%3.0fs %s", time.Since(p.start).Seconds(), stage)
	if p.name != "" {
		line = fmt.Sprintf("%s, %3.0fs of about %v: %s", p.name, time.Since(p.start).Seconds(), p.takes, stage)
	}
	if p.width == 0 {
		fmt.Fprintln(p.out, line)
		return
	}
	if r := []rune(line); len(r) >= p.width {
		line = string(r[:p.width-1])
	}
	fmt.Fprintf(p.out, "\r\x1b[K%s", line)
}

// Write shows lines that a step of the set-up prints.
func (p *progress) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			p.set(line)
		}
	}
	return len(b), nil
}

// close clears a terminal's line.
func (p *progress) close() {
	if p.width > 0 {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
