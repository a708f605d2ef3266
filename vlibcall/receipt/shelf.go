// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tidyEvery is how often books of dead processes are removed from the shelf
// when it is not read: the file of some 20 KiB that a process leaves must not
// wait for a reader. staleAfter is the age at which an incomplete book is
// removed.
const (
	tidyEvery  = 10 * time.Second
	staleAfter = time.Minute
)

// Shelf is the daemon's side of all books. It is safe for concurrent use.
type Shelf struct {
	dir string
	log *slog.Logger

	mu       sync.Mutex
	books    map[string]*seenBook // by file name, of living processes
	totals   totals
	rejected uint64
}

// seenBook is what the totals have of a book that is still written.
type seenBook struct {
	inode    uint64
	seen     []counters
	rejected bool // and was counted and logged
}

// Health is the state of reading books.
type Health struct {
	Books    int    `json:"books"`    // of processes that live
	Rejected uint64 `json:"rejected"` // files that were not books, or were damaged
	Overflow bool   `json:"overflow"` // there were more callers and functions than the totals distinguish
}

// OpenShelf makes the shelf of the daemon whose files are in dir.
func OpenShelf(dir string, log *slog.Logger) (*Shelf, error) {
	s := &Shelf{
		dir: filepath.Join(dir, directory), log: log,
		books: make(map[string]*seenBook), totals: totals{all: make(map[Key]*total)},
	}
	if err := os.Mkdir(s.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(s.dir, &st); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: s.dir, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return nil, fmt.Errorf("%s is not a directory that only this user can write: remove it", s.dir)
	}
	return s, nil
}

// Run tidies the shelf until ctx ends.
func (s *Shelf) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if _, _, err := s.Read(); err != nil {
			s.log.Warn("books of receipts", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Read returns all accounts as of now, by domain, library, function and caller.
func (s *Shelf) Read() ([]Account, Health, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.look()
	h := Health{Rejected: s.rejected, Overflow: s.totals.overflow}
	for _, b := range s.books {
		if !b.rejected {
			h.Books++
		}
	}
	return s.totals.accounts(), h, err
}

// look adds the increase of all books to the totals.
func (s *Shelf) look() error {
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(2 * maxBooks)
	if err != nil && err != io.EOF {
		return err
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		switch {
		case strings.HasSuffix(name, bookSuffix):
			there[name] = true
			s.visit(name)
		case strings.HasPrefix(name, newPrefix):
			s.sweep(name)
		}
	}
	for name := range s.books {
		if !there[name] {
			delete(s.books, name) // another process removed it
		}
	}
	return nil
}

// visit reads a book. If its process is dead, this is the last time.
func (s *Shelf) visit(name string) {
	f, st, err := s.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		s.reject(name, 0, err)
		return
	}
	defer f.Close()
	b := s.books[name]
	if b == nil || b.inode != st.Ino {
		b = &seenBook{inode: st.Ino}
		s.books[name] = b
	}
	dead := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
	lines, err := readFile(f, st)
	if err != nil {
		s.reject(name, st.Ino, err)
	} else {
		b.seen = s.totals.add(b.seen, lines, time.Now())
	}
	if dead {
		delete(s.books, name)
		s.remove(name)
	}
}

// open opens any file of the shelf without blocking.
func (s *Shelf) open(name string) (*os.File, *unix.Stat_t, error) {
	path := filepath.Join(s.dir, name)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	st := new(unix.Stat_t)
	err = unix.Fstat(int(f.Fd()), st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("%w: not a regular file", errBook)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, st, nil
}

func readFile(f *os.File, st *unix.Stat_t) ([]line, error) {
	if st.Size != int64(fileSize) {
		return nil, fmt.Errorf("%w: %d bytes, want %d", errBook, st.Size, fileSize)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, fileSize, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	lines, err := readBook(mem)
	return lines, errors.Join(err, unix.Munmap(mem))
}

// reject counts a file that is not a book, once.
func (s *Shelf) reject(name string, inode uint64, err error) {
	b := s.books[name]
	if b == nil || b.inode != inode {
		b = &seenBook{inode: inode}
		s.books[name] = b
	}
	if b.rejected {
		return
	}
	b.rejected = true
	s.rejected = add(s.rejected, 1)
	s.log.Warn("a book of receipts cannot be read: its calls are not counted", "file", filepath.Join(s.dir, name), "error", err)
}

// sweep removes a book whose process died before it was complete.
func (s *Shelf) sweep(name string) {
	f, st, err := s.open(name)
	if err != nil {
		return // it was completed just now, or is not a book
	}
	defer f.Close()
	if time.Since(time.Unix(st.Mtim.Unix())) > staleAfter && unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		s.remove(name)
	}
}

func (s *Shelf) remove(name string) {
	if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("a dead process's book of receipts stays", "error", err)
	}
}
