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

// Store is a folder of saved machines, one file each. Any number of processes may
// share it. A file under its final name is complete and does not change; a removed
// file stays readable for processes that have it open.
type Store struct {
	Dir string
	// Limit limits the bytes of all machines. Those that were not used for the
	// longest time are removed.
	Limit int64
}

const (
	suffix = ".machine"
	// partial begins the names of files that are being written. A file older
	// than partialLife belongs to a process that has died.
	partial     = "tmp-"
	partialLife = time.Hour
)

func (s *Store) path(key string) string { return filepath.Join(s.Dir, key+suffix) }

// Open returns the machine of a key, with all bytes checked; the caller closes its
// File. It returns [fs.ErrNotExist] if there is none, and [ErrDamaged] if it was
// damaged, in which case it has been removed.
func (s *Store) Open(key string) (*Machine, error) {
	m, err := open(s.path(key), key)
	if errors.Is(err, ErrDamaged) {
		return nil, errors.Join(err, s.Remove(key))
	}
	if err != nil {
		return nil, err
	}
	// The file's time is that of its last use. Setting it may fail for another
	// user's file, which can be used all the same.
	now := time.Now()
	os.Chtimes(s.path(key), now, now)
	return m, nil
}

// Create saves a machine. write writes its state to the file, from the file's
// offset. A machine of that key is replaced. An error leaves the store unchanged.
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

// Entry is a saved machine in the list of [Store.List].
type Entry struct {
	Key   string
	About About
	// Damaged says what is wrong with the file's header, or is nil.
	Damaged error
	Bytes   int64
	Used    time.Time // last used, or saved
}

// List returns all machines, the last used first. It reads only their headers.
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

// files returns the files in the store's folder.
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

// Remove removes the machine of a key, if there is one.
func (s *Store) Remove(key string) error {
	err := os.Remove(s.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RemoveAll removes all machines and everything else in the store's folder.
func (s *Store) RemoveAll() error { return os.RemoveAll(s.Dir) }

// trim removes machines but keep until the rest is within the limit, and files of
// processes that have died.
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
