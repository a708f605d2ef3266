// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"io"
	"strings"
	"sync"
)

// consoleLines is how much of the console an [Error] has.
const consoleLines = 40

// deaths are what Xen and Linux print when they die (panic() in Xen's
// drivers/char/console.c and Linux' kernel/panic.c, hwdom_shutdown() in Xen's
// common/shutdown.c).
var deaths = []string{"Panic on CPU", "Kernel panic - not syncing", "Hardware Dom0 crashed", "Hardware Dom0 halted"}

// console stores the last lines of a serial console and detects a death. It is safe
// for concurrent use.
type console struct {
	tee  io.Writer
	dead chan string // gets the line of the first death

	mu    sync.Mutex
	lines []string
	line  []byte
}

func newConsole(tee io.Writer) *console { return &console{tee: tee, dead: make(chan string, 1)} }

// Write never fails: a console that cannot be shown is still stored.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tee.Write(p)
	for _, b := range p {
		switch b {
		case '\n':
			c.end()
		case '\r':
		default:
			c.line = append(c.line, b)
			if len(c.line) >= 1024 {
				c.end()
			}
		}
	}
	return len(p), nil
}

func (c *console) end() {
	line := string(c.line)
	c.line = c.line[:0]
	if len(c.lines) == consoleLines {
		c.lines = append(c.lines[:0], c.lines[1:]...)
	}
	c.lines = append(c.lines, line)
	for _, d := range deaths {
		if strings.Contains(line, d) {
			select {
			case c.dead <- line:
			default:
			}
		}
	}
}

// tail returns the last lines.
func (c *console) tail() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := append([]string(nil), c.lines...)
	if len(c.line) > 0 {
		out = append(out, string(c.line))
	}
	return out
}
