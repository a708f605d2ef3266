// SPDX-License-Identifier: Apache-2.0

package psr

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vlibos/vlibos/xenctl"
)

// record is a domain whose values were changed.
type record struct {
	// Ran is the CPU time that the domain had used when it was last seen: a
	// domain of its number that has used less is another.
	Ran time.Duration
	Was values // before
	now values
}

// The file's form.
type (
	savedDomain struct {
		ID  uint16        `json:"id"`
		Ran time.Duration `json:"ran_ns"`
		Was []savedValue  `json:"was"`
	}
	savedValue struct {
		Socket int               `json:"socket"`
		Kind   xenctl.Allocation `json:"kind"`
		Value  uint64            `json:"value"`
	}
)

// load reads the file; there is none where nothing was changed.
func load(file string) (map[uint16]*record, error) {
	all := make(map[uint16]*record)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	var list []savedDomain
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("%s says what domains had of the caches before, and cannot be read: %w: set that by xl psr-cat-set and xl psr-mba-set, and remove the file", file, err)
	}
	for _, d := range list {
		r := &record{Ran: d.Ran, Was: make(values)}
		for _, v := range d.Was {
			r.Was[place{v.Socket, v.Kind}] = v.Value
		}
		all[d.ID] = r
	}
	return all, nil
}

// save writes it as a whole or not at all.
func save(file string, all map[uint16]*record) error {
	if len(all) == 0 {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	var list []savedDomain
	for id, r := range all {
		d := savedDomain{ID: id, Ran: r.Ran}
		for p, v := range r.Was {
			d.Was = append(d.Was, savedValue{p.socket, p.kind, v})
		}
		list = append(list, d)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
