// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"strings"
	"sync"
)

// Text is what a program or a log writes while a test reads it. The zero value is
// empty.
type Text struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write implements io.Writer.
func (t *Text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

// String is all that was written so far.
func (t *Text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// Count is how often part has been written so far.
func (t *Text) Count(part string) int { return strings.Count(t.String(), part) }
