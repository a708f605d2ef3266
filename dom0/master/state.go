// SPDX-License-Identifier: Apache-2.0

package master

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vlibos/vlibos/dom0/api"
	"github.com/vlibos/vlibos/dom0/host"
	"github.com/vlibos/vlibos/internal/atomicfile"
	"github.com/vlibos/vlibos/internal/flock"
)

// ErrRunning reports that another master has the host.
var ErrRunning = errors.New("another vlibmaster serves this host")

// state is the part that outlives the daemon: the file state.json, and the lock
// that gives one daemon the folder.
type state struct {
	dir     string
	lock    *os.File
	written []byte // the last one
}

// stateJSON is the file. Version changes with the meaning of the fields.
type stateJSON struct {
	Version      int               `json:"version"`
	Reservations []api.Reservation `json:"reservations"`
}

const stateVersion = 3

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

// running explains a lock that is taken.
func running(err error) error {
	if errors.Is(err, flock.ErrTaken) {
		return fmt.Errorf("%w: %w", ErrRunning, err)
	}
	return err
}

func (s *state) file() string { return filepath.Join(s.dir, "state.json") }

// read returns the entries that an earlier daemon wrote, and the reasons for
// left-out ones.
func (s *state) read() (all []api.Reservation, bad []error, err error) {
	b, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var j stateJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, nil, fmt.Errorf("%s: %w: remove it, and adopt again what is to be adopted", s.file(), err)
	}
	if j.Version != stateVersion {
		return nil, nil, fmt.Errorf("%s: a vlibmaster of another version wrote it (form %d, and this one reads %d): release what it lists with that version, or restart the host; then remove the file",
			s.file(), j.Version, stateVersion)
	}
	all, bad = sound(j.Reservations)
	return all, bad, nil
}

// sound leaves out entries that no daemon writes, with the reasons: a bad entry
// does not affect others. Of two with the same number, domain or rule the first
// stays.
func sound(all []api.Reservation) (good []api.Reservation, bad []error) {
	used, known := make(map[uint32]bool), make(map[string]bool)
	for _, r := range all {
		key := "" // several may be of one process, or wait for domains with one name
		switch {
		case r.Domain != nil && r.Domain.UUID != "":
			key = "domain " + r.Domain.UUID
		case r.Kind() == host.KindNone:
			key = "rule " + r.Name
		}
		err := cmp.Or(r.Validate(), r.CheckServers(), r.Class.Check())
		switch {
		case err != nil:
		case r.ID < firstReservation || r.ID > lastReservation:
			err = fmt.Errorf("the number is out of range: expected %d to %d", firstReservation, lastReservation)
		case r.Domain != nil && (r.Threads != nil || len(r.Callees) > 0) || r.Kind() == host.KindNone && len(r.Callees) == 0:
			err = errors.New("it has no holder and no callee, or too many")
		case used[r.ID] || key != "" && known[key]:
			err = errors.New("an earlier entry has its number, its domain or its rule")
		default:
			used[r.ID], known[key] = true, true
			good = append(good, r)
			continue
		}
		bad = append(bad, fmt.Errorf("reservation %d of %.80q: %w", r.ID, r.Name, err))
	}
	return good, bad
}

// write replaces the file as a whole, if it has changed.
func (s *state) write(all []api.Reservation) error {
	b, err := json.Marshal(stateJSON{stateVersion, all})
	if err != nil {
		return err
	}
	if bytes.Equal(b, s.written) {
		return nil
	}
	var text bytes.Buffer
	if err := json.Indent(&text, b, "", "\t"); err != nil {
		return err
	}
	text.WriteByte('\n')
	err = atomicfile.Write(s.file(), text.Bytes(), 0o600)
	if err == nil {
		s.written = b
	}
	return err
}

// close releases the lock.
func (s *state) close() error { return s.lock.Close() }
