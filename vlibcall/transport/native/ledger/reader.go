// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"os"
	"time"
)

// Reader is a client's side.
type Reader struct {
	file *os.File
}

// OpenReader opens the ledger of the domain in directory dir. ErrNone: there is
// none.
func OpenReader(dir string) (*Reader, error) {
	f, err := open(dir, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &Reader{f}, nil
}

// Slot is the entry of one reservation.
type Slot struct {
	Used, Last  time.Duration // by all its calls, and by the last
	Background  time.Duration // by all, beyond the budget
	Deschedules uint64
}

// Read reads the entry of a reservation.
func (r *Reader) Read(reservation uint32) (Slot, error) {
	var b [slotSize]byte
	if _, err := r.file.ReadAt(b[:], int64(slot(min(reservation, MaxReservation-1)))); err != nil {
		return Slot{}, err
	}
	return Slot{
		Used: duration(word(b[slotUsed:])), Last: duration(word(b[slotLast:])),
		Background: duration(word(b[slotBackground:])), Deschedules: word(b[slotDeschedules:]),
	}, nil
}

// Close frees the reader.
func (r *Reader) Close() error { return r.file.Close() }
