// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"io"
	"time"

	"github.com/vlibos/vlibos/internal/statusline"
)

// progress shows what is done now, and for how long. It writes only when that
// changes: nothing else shall run during a measurement. It is for one
// goroutine.
type progress struct {
	statusline.Line
	start time.Time
	name  string
	takes time.Duration
}

func newProgress(out io.Writer) *progress {
	return &progress{Line: statusline.New(out), start: time.Now()}
}

// begin announces a new experiment.
func (p *progress) begin(name string, takes time.Duration) {
	p.name, p.takes, p.start = name, takes, time.Now()
	p.set("preparing")
}

// set shows what is done now; "" ends the display.
func (p *progress) set(stage string) {
	if stage == "" {
		p.Clear()
		return
	}
	line := fmt.Sprintf("%3.0fs %s", time.Since(p.start).Seconds(), stage)
	if p.name != "" {
		line = fmt.Sprintf("%s, %3.0fs of about %v: %s", p.name, time.Since(p.start).Seconds(), p.takes, stage)
	}
	p.Show(line)
}
