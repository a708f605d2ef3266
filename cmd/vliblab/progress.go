// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows what is done now and for how long: on a terminal one line that
// changes, elsewhere a line for each stage. It is safe for concurrent use.
type progress struct {
	out   io.Writer
	tty   bool
	quiet bool
	start time.Time

	mu    sync.Mutex
	stage string
	stop  chan struct{}
	wg    sync.WaitGroup
}

// newProgress starts to count. The caller closes it.
func newProgress(out io.Writer, quiet, plain bool) *progress {
	p := &progress{out: out, quiet: quiet, start: time.Now(), stop: make(chan struct{})}
	if f, ok := out.(*os.File); ok && !plain {
		p.tty = term.IsTerminal(int(f.Fd()))
	}
	if p.tty && !quiet {
		p.wg.Add(1)
		go p.tick()
	}
	return p
}

// set shows a new stage; the empty one is the end of the display.
func (p *progress) set(stage string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = stage
	switch {
	case p.tty:
		p.show()
	case stage != "":
		fmt.Fprintf(p.out, "vliblab: %3.0fs %s\n", time.Since(p.start).Seconds(), stage)
	}
}

// Write shows lines that a step of the set-up prints, each as a stage.
func (p *progress) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			p.set(line)
		}
	}
	return len(b), nil
}

// Close ends the display and clears its line.
func (p *progress) Close() {
	p.set("")
	close(p.stop)
	p.wg.Wait()
}

// restart counts from now.
func (p *progress) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start = time.Now()
}

func (p *progress) tick() {
	defer p.wg.Done()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.mu.Lock()
			if p.stage != "" {
				p.show()
			}
			p.mu.Unlock()
		}
	}
}

// show writes the line of a terminal; mu is held.
func (p *progress) show() {
	if p.stage == "" {
		io.WriteString(p.out, "\r\x1b[K")
		return
	}
	stage := p.stage
	if f, ok := p.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && len(stage) > w-8 && w > 8 {
			stage = stage[:w-8]
		}
	}
	fmt.Fprintf(p.out, "\r\x1b[K%3.0fs %s", time.Since(p.start).Seconds(), stage)
}
