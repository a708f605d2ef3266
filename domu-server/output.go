// SPDX-License-Identifier: Apache-2.0

package domuserver

import (
	"bytes"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// head keeps the first limit bytes that are written to it. The writer never
// sees an error: a command whose output is too long still runs to its end.
type head struct {
	limit     int
	kept      []byte
	truncated bool
}

func (h *head) Write(b []byte) (int, error) {
	n := min(len(b), h.limit-len(h.kept))
	h.kept = append(h.kept, b[:n]...)
	h.truncated = h.truncated || n < len(b)
	return len(b), nil
}

const (
	tailSize  = 512
	tailLines = 3
)

// tail keeps the last bytes that are written to it. It is safe for concurrent
// use.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := b[max(len(b)-tailSize, 0):]
	keep := min(len(t.kept), tailSize-len(last))
	t.kept = append(t.kept[:copy(t.kept, t.kept[len(t.kept)-keep:])], last...)
	return len(b), nil
}

func (t *tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = t.kept[:0]
}

// lines returns the last few lines as one that is fit for a terminal.
func (t *tail) lines() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(string(bytes.TrimSpace(t.kept)), "\n")
	text := strings.Join(lines[max(len(lines)-tailLines, 0):], " / ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}
