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

// Book is the master's side. It maps nothing, so that a server that truncates
// the file affects no other process. One goroutine at a time may use it.
type Book struct {
	file *os.File
	buf  [2*(atStart+8-atSequence) + 8]byte
}

// OpenBook opens the ledger of the domain in directory dir. ErrNone: there is
// none.
func OpenBook(dir string) (*Book, error) {
	f, err := open(dir, os.O_RDWR)
	if err != nil {
		return nil, err
	}
	return &Book{file: f}, nil
}

// open opens a file that its owner may have replaced by anything.
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

// Current reports whether the file is still the one with that name.
func (b *Book) Current() bool {
	var st unix.Stat_t
	return unix.Fstat(int(b.file.Fd()), &st) == nil && st.Nlink > 0
}

// Claim is the server's report.
type Claim struct {
	Serving uint32        // the reservation whose call is under way; 0: none
	Start   time.Duration // use of its cgroup when that call began
	Used    map[uint32]time.Duration
}

// tries is how often a changing ledger is read.
const tries = 4

// Read reads the server's report on some reservations into c, as of one moment.
// It returns false if the server prevents that by changing the file without
// end.
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

// Allow sets whether a reservation may be charged.
func (b *Book) Allow(r uint32, may bool) error {
	v := uint64(0)
	if may {
		v = 1
	}
	return b.write(slot(r)+slotAllowed, v)
}

// Renew promises that budgets are enforced for that long from now.
func (b *Book) Renew(d time.Duration) error {
	return b.write(atUntil, uint64(clock.Monotonic()+d))
}

// Note records the use of a reservation's calls beyond its budget, and how
// often the budget ended in a call.
func (b *Book) Note(r uint32, background time.Duration, deschedules uint64) error {
	return errors.Join(b.write(slot(r)+slotBackground, uint64(background)), b.write(slot(r)+slotDeschedules, deschedules))
}

func (b *Book) write(at int, v uint64) error {
	_, err := b.file.WriteAt(binary.LittleEndian.AppendUint64(nil, v), int64(at))
	return err
}

// Close frees the book.
func (b *Book) Close() error { return b.file.Close() }
