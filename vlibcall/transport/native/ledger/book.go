// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vlibos/vlibos/internal/clock"
)

// Book is the master's end. It maps nothing, so that a server that truncates
// the file harms no other process. It is for one goroutine at a time.
type Book struct {
	file *os.File
	buf  [2*(atStart+8-atSequence) + 8]byte
}

// OpenBook opens the ledger of the domain in directory dir. ErrNone if there is
// none.
func OpenBook(dir string) (*Book, error) {
	f, err := open(dir, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	return &Book{file: f}, nil
}

// open opens a file that its owner may have made to be something else.
func open(dir string, flags int) (*os.File, error) {
	path := File(dir)
	f, err := os.OpenFile(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s: start it with: vlibmaster cgroup run NAME -- vlib-server --transport native --name NAME",
			ErrNone, path)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	var head [len(magic)]byte
	if err == nil {
		_, err = f.ReadAt(head[:], 0)
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() != size || string(head[:]) != magic {
		f.Close()
		return nil, fmt.Errorf("%w: %s is none (%v)", ErrNone, path, err)
	}
	return f, nil
}

// Current reports whether the file is still the one that its name leads to.
func (b *Book) Current() bool {
	var st unix.Stat_t
	return unix.Fstat(int(b.file.Fd()), &st) == nil && st.Nlink > 0
}

// Claim is what a server says.
type Claim struct {
	Serving uint32        // the reservation whose call is under way; 0: none
	Start   time.Duration // what its cgroup had used when that began
	Used    map[uint32]time.Duration
}

// tries is how often a ledger that changes is read again.
const tries = 4

// Read reads what the server says of some reservations into c, at one moment.
// It reports false if the server does not say, by changing the file without end.
func (b *Book) Read(c *Claim) bool {
	head, again, used := b.buf[:atStart+8-atSequence], b.buf[atStart+8-atSequence:][:atStart+8-atSequence], b.buf[len(b.buf)-8:]
	for range tries {
		if _, err := b.file.ReadAt(head, atSequence); err != nil {
			return false
		}
		for r := range c.Used {
			if _, err := b.file.ReadAt(used, int64(slot(r)+slotUsed)); err != nil {
				return false
			}
			c.Used[r] = duration(word(used))
		}
		if _, err := b.file.ReadAt(again, atSequence); err != nil {
			return false
		}
		if bytes.Equal(head, again) && word(head)%2 == 0 {
			c.Serving = uint32(min(word(head[atServing-atSequence:]), MaxReservation))
			c.Start = duration(word(head[atStart-atSequence:]))
			return true
		}
	}
	return false
}

// Allow says whether a reservation may pay.
func (b *Book) Allow(r uint32, may bool) error {
	v := uint64(0)
	if may {
		v = 1
	}
	return b.write(slot(r)+slotAllowed, v)
}

// Renew says that budgets are kept for that long from now.
func (b *Book) Renew(d time.Duration) error {
	return b.write(atUntil, uint64(clock.Monotonic()+d))
}

// Note says what a reservation's calls have used beyond its budget, and how
// often it ended in one.
func (b *Book) Note(r uint32, background time.Duration, deschedules uint64) error {
	return errors.Join(b.write(slot(r)+slotBackground, uint64(background)), b.write(slot(r)+slotDeschedules, deschedules))
}

func (b *Book) write(at int, v uint64) error {
	_, err := b.file.WriteAt(binary.LittleEndian.AppendUint64(nil, v), int64(at))
	return err
}

// Close frees the book.
func (b *Book) Close() error { return b.file.Close() }
