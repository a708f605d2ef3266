// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// directory of the books in the master's.
const directory = "receipts"

// Names of a book, and of one that is being created.
const (
	bookSuffix = ".book"
	newPrefix  = ".new-"
)

// maxBooks limits the books that a daemon has to read, and those that tools
// leave behind while there is no daemon.
const maxBooks = 1024

// ErrFull reports that there are too many books to create another.
var ErrFull = errors.New("too many books of receipts")

// Book counts the calls of this process. It is safe for concurrent use.
type Book struct {
	mem []byte

	mu   sync.Mutex
	file *os.File // its lock shows that this process lives; nil: closed
}

// Open makes this process's book for the daemon whose files are in dir. Errors:
// fs.ErrNotExist: the daemon's directory does not exist; fs.ErrPermission: this
// user may not write to it; ErrFull.
func Open(dir string) (_ *Book, err error) {
	shelf := filepath.Join(dir, directory)
	if err := os.Mkdir(shelf, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := room(shelf); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%d-%s", os.Getpid(), rand.Text())
	name := filepath.Join(shelf, newPrefix+id)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(name), f.Close())
		}
	}()
	b, err := newBook(f)
	if err != nil {
		return nil, fmt.Errorf("book of receipts %s: %w", name, err)
	}
	// The daemon sees the book only now that it is complete and locked.
	if err := os.Rename(name, filepath.Join(shelf, id+bookSuffix)); err != nil {
		return nil, err
	}
	return b, nil
}

// room is ErrFull if a directory has too many files.
func room(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.Readdirnames(maxBooks)
	if len(names) == maxBooks {
		return fmt.Errorf("%s has %d: %w: is a vlibmaster running, which would clear it?", dir, maxBooks, ErrFull)
	}
	if len(names) == 0 { // then io.EOF is expected
		return nil
	}
	return err
}

func newBook(f *os.File) (*Book, error) {
	fd := int(f.Fd())
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, err
	}
	if err := f.Truncate(int64(fileSize)); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(fd, 0, fileSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	b := &Book{mem: mem, file: f}
	// A call that has just ended may still be counted after Close.
	runtime.AddCleanup(b, func(mem []byte) { unix.Munmap(mem) }, mem)
	if err := b.allocate(0, page+recordSize); err != nil {
		return nil, err
	}
	other := recordOf(mem, 0)
	fill(other.library[:], Other)
	fill(other.function[:], Other)
	self := Self()
	other.uid = self.UID
	fill(other.comm[:], self.Comm)
	h := headerOf(mem)
	h.revision, h.size, h.magic = revision, uint32(recordSize), magic
	h.used.Store(1)
	return b, nil
}

// allocate reserves memory for the file. Without it, a full file system would
// be a signal that ends the process at the first count.
func (b *Book) allocate(offset, n int) error {
	for {
		err := unix.Fallocate(int(b.file.Fd()), 0, int64(offset), int64(n))
		if err != unix.EINTR {
			return err
		}
	}
}

// Recorder counts the calls that a caller makes to a domain: its UUID (its name
// on the native host) and its name.
func (b *Book) Recorder(c Caller, domain, name string) *Recorder {
	r := &Recorder{book: b, caller: c, domain: domain, name: name}
	r.places.Store(&map[place]*words{})
	return r
}

// place returns the counters for a function, and whether they are final.
func (b *Book) place(r *Recorder, p place) (_ *words, final bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := headerOf(b.mem)
	used := int(h.used.Load())
	for i := 1; i < used; i++ {
		if c := recordOf(b.mem, i); c.is(r, p) {
			return &c.words, true
		}
	}
	other := &recordOf(b.mem, 0).words
	if used == capacity || b.file == nil {
		return other, true
	}
	if b.allocate(offsetOf(used), recordSize) != nil {
		return other, false // the next call tries again
	}
	c := recordOf(b.mem, used)
	c.uid = r.caller.UID
	fill(c.comm[:], r.caller.Comm)
	fill(c.domain[:], r.domain)
	fill(c.name[:], r.name)
	fill(c.library[:], p.library)
	fill(c.function[:], p.function)
	h.used.Store(uint64(used) + 1)
	return &c.words, true
}

func (c *record) is(r *Recorder, p place) bool {
	return c.uid == r.caller.UID && filled(c.comm[:], r.caller.Comm) && filled(c.domain[:], r.domain) &&
		filled(c.library[:], p.library) && filled(c.function[:], p.function)
}

// fill writes a string and a NUL, truncated to the field.
func fill(field []byte, s string) { field[copy(field[:len(field)-1], s)] = 0 }

func filled(field []byte, s string) bool {
	return text(field) == s[:min(len(s), len(field)-1)]
}

func text(field []byte) string {
	if n := bytes.IndexByte(field, 0); n >= 0 {
		field = field[:n]
	}
	return string(field)
}

// Close leaves the book to the daemon. Calls that are recorded afterwards may be lost.
// Idempotent.
func (b *Book) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return nil
	}
	f := b.file
	b.file = nil
	// The mapped memory would keep the lock.
	return errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
}

// Self is this process as a caller.
func Self() Caller {
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil { // no /proc
		comm = []byte(filepath.Base(os.Args[0]))
	}
	return Caller{UID: uint32(os.Getuid()), Comm: strings.TrimSuffix(string(comm), "\n")}
}
