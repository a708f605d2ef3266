// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/vlibos/vlibos/internal/printable"
)

// errBook reports that a file is not a book.
var errBook = errors.New("no book of receipts")

// line is one record as read.
type line struct {
	key      Key
	name     string
	counters counters
}

// readBook reads a mapped book. With any contents, and even if the file becomes
// shorter meanwhile, the result is lines or an error.
func readBook(mem []byte) (lines []line, err error) {
	if len(mem) != fileSize {
		return nil, fmt.Errorf("%w: %d bytes, want %d", errBook, len(mem), fileSize)
	}
	// Access to pages that no longer exist faults.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			lines, err = nil, fmt.Errorf("%w: it became shorter: %v", errBook, fault)
		}
	}()
	h := headerOf(mem)
	if h.magic != magic || h.revision != revision || h.size != uint32(recordSize) {
		return nil, fmt.Errorf("%w of revision %d", errBook, revision)
	}
	used := h.used.Load()
	if used == 0 || used > capacity {
		return nil, fmt.Errorf("%w: %d records, at most %d fit", errBook, used, capacity)
	}
	lines = make([]line, used)
	for i := range lines {
		r := recordOf(mem, i)
		l := &lines[i]
		l.key = Key{
			Caller:  Caller{UID: r.uid, Comm: printable.Line(text(r.comm[:]))},
			Domain:  printable.Line(text(r.domain[:])),
			Library: printable.Line(text(r.library[:])), Function: printable.Line(text(r.function[:])),
		}
		l.name = printable.Line(text(r.name[:]))
		for n := range l.counters {
			l.counters[n] = r.words[n].Load()
		}
	}
	return lines, nil
}
