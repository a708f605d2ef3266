// SPDX-License-Identifier: Apache-2.0

package saved

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Store is a folder of saved machines, one file each. Any number of processes
// may share it: a file is complete when it has its name and is never changed
// after that, and one that is removed stays readable where it is open.
type Store struct {
	Dir string
	// Limit bounds the bytes of all machines: those whose last use is longest
	// ago are removed.
	Limit int64
}

const (
	suffix = ".machine"
	// partial begins the names of files that are being written; one that is
	// older than partialLife was left by a process that died.
	partial     = "tmp-"
	partialLife = time.Hour
)

func (s *Store) path(key string) string { return filepath.Join(s.Dir, key+suffix) }

// Open returns the machine of a key, checked to the last byte; the caller closes
// its File. It returns [fs.ErrNotExist] if there is none, and [ErrDamaged] if
// there was one that is damaged, which it has removed.
func (s *Store) Open(key string) (*Machine, error) {
	m, err := open(s.path(key), key)
	if errors.Is(err, ErrDamaged) {
		return nil, errors.Join(err, s.Remove(key))
	}
	if err != nil {
		return nil, err
	}
	// The time of the last use is the file's. One that is another user's, or in
	// a folder that may only be read, is of use all the same.
	now := time.Now()
	os.Chtimes(s.path(key), now, now)
	return m, nil
}

// Create saves a machine: write gets the file to write its state to, from the
// file's offset on. A machine of that key is replaced. An error leaves the store
// as it was.
func (s *Store) Create(key string, about About, write func(*os.File) error) (err error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.Dir, partial)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := fill(f, key, about, write); err != nil {
		return fmt.Errorf("save a machine: %w", err)
	}
	if err := os.Rename(f.Name(), s.path(key)); err != nil {
		return err
	}
	return s.trim(key)
}

// Entry is a saved machine as [Store.List] shows it.
type Entry struct {
	Key   string
	About About
	// Damaged is what is wrong with the file's header, or nil.
	Damaged error
	Bytes   int64
	Used    time.Time // last used, or saved
}

// List returns all machines, the last used first. It reads their headers only.
func (s *Store) List() ([]Entry, error) {
	files, err := s.files()
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, f := range files {
		key, ok := strings.CutSuffix(f.Name(), suffix)
		if !ok {
			continue
		}
		e := Entry{Key: key, Bytes: f.Size(), Used: f.ModTime()}
		if e.About, e.Damaged = readAbout(s.path(key), key); errors.Is(e.Damaged, fs.ErrNotExist) {
			continue // removed just now
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(b.Used.Compare(a.Used), strings.Compare(a.Key, b.Key))
	})
	return entries, nil
}

// files returns what is in the store's folder.
func (s *Store) files() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed just now
		}
		if err != nil {
			return nil, err
		}
		files = append(files, info)
	}
	return files, nil
}

// Remove removes the machine of a key; none is no error.
func (s *Store) Remove(key string) error {
	err := os.Remove(s.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RemoveAll removes all machines, and what else is in the store's folder.
func (s *Store) RemoveAll() error { return os.RemoveAll(s.Dir) }

// trim removes machines until the rest is within the limit, but not keep, and
// what processes that died have left.
func (s *Store) trim(keep string) error {
	files, err := s.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), partial) && time.Since(f.ModTime()) > partialLife {
			os.Remove(filepath.Join(s.Dir, f.Name()))
		}
	}
	entries, err := s.List()
	if err != nil {
		return err
	}
	var total int64
	for _, e := range entries {
		if total += e.Bytes; total > s.Limit && e.Key != keep {
			if err := s.Remove(e.Key); err != nil {
				return err
			}
		}
	}
	return nil
}
