// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/vlibos/vlibos/internal/atomicfile"
	"github.com/vlibos/vlibos/throttle/cache"
	"github.com/vlibos/vlibos/xenctl"
)

// record is a domain whose settings were changed.
type record struct {
	ID uint16 `json:"id"`
	// Ran is the CPU time of the domain when it was last seen. A domain of the same
	// number that has used less is another one.
	Ran time.Duration `json:"ran_ns"`
	Was []setting     `json:"was"` // before the change
	now []setting
}

// setting is the mask or throttle of a domain on one socket.
type setting struct {
	Socket int               `json:"socket"`
	Kind   xenctl.Allocation `json:"kind"`
	Value  uint64            `json:"value"`
}

// alike compares the place of two settings and not their values.
func alike(a, b setting) bool { return a.Socket == b.Socket && a.Kind == b.Kind }

// target is what a domain has in a class: settings that the class does not name
// stay as they were.
func target(was []setting, m cache.Masks) []setting {
	to := slices.Clone(was)
	for i, s := range to {
		switch {
		case s.Kind == xenctl.L3Data && m.L3Data != 0:
			to[i].Value = m.L3Data
		case (s.Kind == xenctl.L3Code || s.Kind == xenctl.L3Mask) && m.L3Code != 0:
			to[i].Value = m.L3Code
		case s.Kind == xenctl.L2Mask && m.L2 != 0:
			to[i].Value = m.L2
		case s.Kind == xenctl.Throttle && m.Bandwidth != 0:
			to[i].Value = uint64(100 - m.Bandwidth)
		}
	}
	return to
}

// load reads the file. There is none while no setting is changed.
func load(file string) (map[uint16]*record, error) {
	all := make(map[uint16]*record)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	var list []*record
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s records the cache settings that domains had before, and cannot be read: %w: set them by xl psr-cat-set and xl psr-mba-set, and remove the file", file, err)
	}
	for _, r := range list {
		all[r.ID] = r
	}
	return all, nil
}

// save replaces the file, or removes it if there is nothing to record.
func save(file string, all map[uint16]*record) error {
	if len(all) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(slices.Collect(maps.Values(all)))
	if err != nil {
		return err
	}
	return atomicfile.Write(file, text, 0o600)
}
