// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"
	"strings"
)

// Class is a class of service. Shares are percentages, 1 to 100. 0 means not
// given: the class changes nothing there.
type Class struct {
	Name string

	L3 int // of code and data together
	// L3Least is how much of L3 the class keeps when ways move between classes. 0: its
	// ways do not move.
	L3Least int
	// L3Code and L3Data are given together, instead of L3, for split caches
	// (CDP).
	L3Code, L3Data int
	L2             int
	Bandwidth      int // of the memory bandwidth
}

// ErrNotSupported reports that the processor lacks a resource that a class
// uses.
var ErrNotSupported = errors.New("this processor does not support it, or it is switched off")

// maxName bounds names: they become names of directories.
const maxName = 32

// Validate checks what does not depend on the processor.
func (c Class) Validate() error {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	if c.Name == "" || len(c.Name) > maxName || strings.ContainsFunc(c.Name, func(r rune) bool { return !plain(r) }) {
		return fmt.Errorf("name %.80q: 1 to %d letters, digits, - and _ are allowed", c.Name, maxName)
	}
	for _, s := range []struct {
		name  string
		share int
	}{{"l3", c.L3}, {"l3_least", c.L3Least}, {"l3_code", c.L3Code}, {"l3_data", c.L3Data}, {"l2", c.L2}, {"mba", c.Bandwidth}} {
		if s.share < 0 || s.share > 100 {
			return fmt.Errorf("%s of %d %%: 1 to 100 are allowed", s.name, s.share)
		}
	}
	switch {
	case (c.L3Code == 0) != (c.L3Data == 0):
		return errors.New("set l3_code and l3_data together")
	case c.L3 != 0 && c.L3Code != 0:
		return errors.New("set either l3, or l3_code and l3_data")
	case c.L3Least != 0 && c.L3 == 0:
		return errors.New("l3_least without l3: it is the part of l3 that the class keeps")
	case c.L3Least > c.L3:
		return fmt.Errorf("l3_least of %d %%: want l3 or less than l3, which is %d %%", c.L3Least, c.L3)
	case c.L3+c.L3Code+c.L2+c.Bandwidth == 0:
		return errors.New("it has no share: set l3, l3_code and l3_data, l2 or mba")
	}
	return nil
}

// Masks is a class as set in the processor.
type Masks struct {
	L3Code, L3Data uint64 // equal where code and data are not split; 0: not set
	L2             uint64 // 0: not set
	Bandwidth      int    // per cent left to the class; 0: not set
}

// values is the number of a domain's values that a class sets.
func (m Masks) values() int {
	n := 0
	for _, set := range []bool{m.L3Code != 0, m.L3Data != m.L3Code, m.L2 != 0, m.Bandwidth != 0} {
		if set {
			n++
		}
	}
	return n
}

func (m Masks) String() string {
	var parts []string
	switch {
	case m.L3Code != m.L3Data:
		parts = append(parts, fmt.Sprintf("L3 code %#x, data %#x", m.L3Code, m.L3Data))
	case m.L3Code != 0:
		parts = append(parts, fmt.Sprintf("L3 %#x", m.L3Code))
	}
	if m.L2 != 0 {
		parts = append(parts, fmt.Sprintf("L2 %#x", m.L2))
	}
	if m.Bandwidth != 0 {
		parts = append(parts, fmt.Sprintf("bandwidth %d %%", m.Bandwidth))
	}
	return strings.Join(parts, ", ")
}
