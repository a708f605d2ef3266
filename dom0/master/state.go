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
	"slices"

	"github.com/vlibos/vlibos/internal/atomicfile"
	"github.com/vlibos/vlibos/internal/flock"
	"github.com/vlibos/vlibos/rtsched"
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

// read returns what an earlier daemon wrote, and why entries are left out of it.
func (s *state) read() (j stateJSON, bad []error, err error) {
	b, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil, nil
	}
	if err != nil {
		return j, nil, err
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return j, nil, fmt.Errorf("%s: %w: remove it, and adopt again what is to be adopted", s.file(), err)
	}
	return j, j.leaveOut(), nil
}

// leaveOut removes entries that no daemon writes, and returns why: a bad one costs
// no other its place. Of two with one number or one key the first stays.
func (j *stateJSON) leaveOut() (bad []error) {
	used, known := make(map[uint32]bool), make(map[string]bool)
	unsound := func(kind, key string, t rtsched.Task, err error) bool {
		key = kind + " " + key
		switch err = errors.Join(err, t.Validate()); {
		case err != nil:
		case t.ID < firstReservation || t.ID > lastReservation:
			err = fmt.Errorf("the number is out of range: expected %d to %d", firstReservation, lastReservation)
		case used[t.ID] || known[key]:
			err = errors.New("an earlier entry has its number or its name")
		default:
			used[t.ID], known[key] = true, true
			return false
		}
		bad = append(bad, fmt.Errorf("reservation %d of %s: %w", t.ID, key, err))
		return true
	}
	j.Adopted = slices.DeleteFunc(j.Adopted, func(a Adoption) bool { return unsound("domain", a.UUID, a.task(), a.Class.Check()) })
	j.Payers = slices.DeleteFunc(j.Payers, func(p Payer) bool { return unsound("payer", p.Key, p.task(), nil) })
	j.Held = slices.DeleteFunc(j.Held, func(h Held) bool { return unsound("threads", fmt.Sprint(h.Reservation), h.task(), nil) })
	return bad
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
