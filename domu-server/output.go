// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"bytes"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// head stores the first limit bytes that are written to it. The writer never
// gets an error: a command with more output still runs to its end.
type head struct {
	limit     int
	stored    []byte
	truncated bool
}

func (h *head) Write(b []byte) (int, error) {
	n := min(len(b), h.limit-len(h.stored))
	h.stored = append(h.stored, b[:n]...)
	h.truncated = h.truncated || n < len(b)
	return len(b), nil
}

const (
	tailSize  = 512
	tailLines = 3
)

// tail stores the last bytes that are written to it. It is safe for concurrent
// use.
type tail struct {
	mu     sync.Mutex
	stored []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := b[max(len(b)-tailSize, 0):]
	keep := min(len(t.stored), tailSize-len(last))
	t.stored = append(t.stored[:copy(t.stored, t.stored[len(t.stored)-keep:])], last...)
	return len(b), nil
}

func (t *tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stored = t.stored[:0]
}

// lines returns the last few lines as one line that a terminal can show.
func (t *tail) lines() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(string(bytes.TrimSpace(t.stored)), "\n")
	text := strings.Join(lines[max(len(lines)-tailLines, 0):], " / ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}
