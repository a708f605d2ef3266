// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"
)

// Better says in which direction a value improves.
type Better string

// The two directions.
const (
	Lower  Better = "lower"
	Higher Better = "higher"
)

// Record is one result, which is one line of out/bench.jsonl.
type Record struct {
	// Name is dotted and begins with its area, for example "call.".
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Target is nil if the value only matters in comparison with others.
	Target *float64 `json:"target"`
	Better Better   `json:"better"`
	// Raw is what Value was computed from. Each name ends in its unit.
	Raw     map[string]float64 `json:"raw"`
	Machine string             `json:"machine"`
	// Samples are what a distribution is drawn from, by name, in the order
	// in which they were taken. Each name ends in its unit.
	Samples map[string][]float64 `json:"samples,omitempty"`
	// Time is when the record was appended, Version the build that did it.
	Time    time.Time `json:"time,omitzero"`
	Version string    `json:"version,omitempty"`
}

// Goal returns v as a record's Target.
func Goal(v float64) *float64 { return &v }

// Verdict is "met", "missed", or "" without a target.
func (r Record) Verdict() string {
	switch {
	case r.Target == nil:
		return ""
	case r.Better == Lower && r.Value <= *r.Target, r.Better == Higher && r.Value >= *r.Target:
		return "met"
	}
	return "missed"
}

func (r Record) check() error {
	switch {
	case r.Name == "" || r.Unit == "" || (r.Better != Lower && r.Better != Higher):
		return fmt.Errorf("record %+v: name, unit and direction must be given", r)
	case math.IsNaN(r.Value) || math.IsInf(r.Value, 0):
		return fmt.Errorf("record %s: value %v is not a number", r.Name, r.Value)
	}
	return nil
}

// Append adds records to the file. It creates the file and its folder if they
// do not exist, and sets Machine, Time and Version where they are empty.
func Append(file string, records ...Record) (err error) {
	var lines []byte
	for _, r := range records {
		if r.Machine == "" {
			r.Machine = Machine()
		}
		if r.Time.IsZero() {
			r.Time = time.Now().UTC().Truncate(time.Second)
		}
		if r.Version == "" {
			r.Version = Version()
		}
		if err := r.check(); err != nil {
			return err
		}
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// One write, because other experiments may append at the same time.
	_, err = f.Write(lines)
	return err
}

// longestLine is the longest line that Read accepts, in bytes: it has room for
// the samples of a long experiment.
const longestLine = 16 << 20

// Read returns the latest record of each name in the file, in the order in
// which the names first appeared. It returns none if the file does not exist.
func Read(file string) ([]Record, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var records []Record
	place := make(map[string]int)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, longestLine)
	for n := 1; lines.Scan(); n++ {
		var r Record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, n, err)
		}
		if at, ok := place[r.Name]; ok {
			records[at] = r
			continue
		}
		place[r.Name] = len(records)
		records = append(records, r)
	}
	return records, lines.Err()
}
