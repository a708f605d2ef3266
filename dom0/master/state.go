// SPDX-License-Identifier: Apache-2.0

package master

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vlibos/vlibos/internal/atomicfile"
	"github.com/vlibos/vlibos/internal/flock"
)

// DefaultDir is where a running master keeps what it knows. It is empty after
// the host was booted, as the host's reservations are.
const DefaultDir = "/run/vlibos"

// ErrRunning says that another master has the host.
var ErrRunning = errors.New("another vlibmaster serves this host")

// state is what outlives the daemon: the file state.json, and the lock by which
// one daemon only uses the folder.
type state struct {
	dir     string
	lock    *os.File
	written []byte // last
}

type stateJSON struct {
	Adopted []Adoption `json:"adopted"`
	Payers  []Payer    `json:"payers,omitempty"`
	Held    []Held     `json:"held,omitempty"`
}

// openState takes the lock.
func openState(dir string) (*state, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("%w: run as root", err)
	}
	f, err := flock.Take(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, running(err)
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt(fmt.Append(nil, os.Getpid()), 0) // so that it can be signalled
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &state{dir: dir, lock: f}, nil
}

// running says what a lock that is taken means here.
func running(err error) error {
	if errors.Is(err, flock.ErrTaken) {
		return fmt.Errorf("%w: %w", ErrRunning, err)
	}
	return err
}

func (s *state) file() string { return filepath.Join(s.dir, "state.json") }

// read returns what an earlier daemon wrote.
func (s *state) read() (j stateJSON, err error) {
	b, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, err
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return j, fmt.Errorf("%s: %w: remove it, and adopt again what is to be adopted", s.file(), err)
	}
	return j, nil
}

// write replaces the file as a whole, if it is to be another.
func (s *state) write(j stateJSON) error {
	b, err := json.MarshalIndent(j, "", "\t")
	if err != nil {
		return err
	}
	if bytes.Equal(b, s.written) {
		return nil
	}
	err = atomicfile.Write(s.file(), append(b, '\n'), 0o600)
	if err == nil {
		s.written = b
	}
	return err
}

// enter puts an entry among others, then makes it true by do. If that fails the
// others are as they were; who has written them writes them again.
func enter[K comparable, V any](all map[K]V, key K, entry V, do func() error) error {
	was, had := all[key]
	all[key] = entry
	err := do()
	switch {
	case err == nil:
	case had:
		all[key] = was
	default:
		delete(all, key)
	}
	return err
}

// close gives the lock back.
func (s *state) close() error { return s.lock.Close() }
