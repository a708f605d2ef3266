// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vlibos/vlibos/internal/statusline"
)

// progress shows the current stage and its time: on a terminal in one changing line,
// otherwise in a line for each stage. It is safe for concurrent use.
type progress struct {
	line  statusline.Line
	plain statusline.Line // for lines that stay
	quiet bool
	start time.Time

	mu    sync.Mutex
	stage string
	stop  chan struct{}
	wg    sync.WaitGroup
}

// newProgress starts to count the time. The caller closes it.
func newProgress(out io.Writer, quiet, plain bool) *progress {
	p := &progress{line: statusline.New(out), plain: statusline.Plain(out), quiet: quiet, start: time.Now(), stop: make(chan struct{})}
	if plain {
		p.line = p.plain
	}
	if p.line.Terminal() && !quiet {
		p.wg.Add(1)
		go p.tick()
	}
	return p
}

// set shows a new stage; "" ends the display.
func (p *progress) set(stage string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = stage
	p.show()
}

// Write shows each line that a step of the set-up prints as a stage.
func (p *progress) Write(b []byte) (int, error) { return statusline.Stages(p.set).Write(b) }

// note shows a line that stays when the next stage begins.
func (p *progress) note(text string) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.Clear()
	p.plain.Show("vliblab: " + text)
	if p.line.Terminal() {
		p.show()
	}
}

// Close ends the display and clears its line.
func (p *progress) Close() {
	p.set("")
	close(p.stop)
	p.wg.Wait()
}

// restart counts the time from now.
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

// show writes the line. The caller has locked mu.
func (p *progress) show() {
	if p.stage == "" {
		p.line.Clear()
		return
	}
	text := fmt.Sprintf("%3.0fs %s", time.Since(p.start).Seconds(), p.stage)
	if !p.line.Terminal() {
		text = "vliblab: " + text
	}
	p.line.Show(text)
}
