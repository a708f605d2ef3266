// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"fmt"
	"strings"
)

// Class is a class of service. Shares are percentages, 1 to 100; 0: not said,
// and then the class changes nothing there.
type Class struct {
	Name string

	L3 int // of code and data together
	// L3Code and L3Data are said together, in place of L3, for caches that
	// are split (CDP).
	L3Code, L3Data int
	L2             int
	Bandwidth      int // of the memory bandwidth
}

// ErrNotSupported says that the processor has nothing that a class asks for.
var ErrNotSupported = errors.New("this processor has it not, or it is switched off")

// mostName bounds names: they become names of directories.
const mostName = 32

// Validate says what is wrong with a class on any processor.
func (c Class) Validate() error {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
	}
	if c.Name == "" || len(c.Name) > mostName || strings.ContainsFunc(c.Name, func(r rune) bool { return !plain(r) }) {
		return fmt.Errorf("name %.80q: 1 to %d letters, digits, - and _ are allowed", c.Name, mostName)
	}
	for _, s := range []struct {
		name  string
		share int
	}{{"l3", c.L3}, {"l3_code", c.L3Code}, {"l3_data", c.L3Data}, {"l2", c.L2}, {"mba", c.Bandwidth}} {
		if s.share < 0 || s.share > 100 {
			return fmt.Errorf("%s of %d %%: 1 to 100 are allowed", s.name, s.share)
		}
	}
	switch {
	case (c.L3Code == 0) != (c.L3Data == 0):
		return errors.New("l3_code and l3_data are said together")
	case c.L3 != 0 && c.L3Code != 0:
		return errors.New("l3 is said, or l3_code and l3_data, not both")
	case c.L3+c.L3Code+c.L2+c.Bandwidth == 0:
		return errors.New("it shares nothing: say l3, l3_code and l3_data, l2 or mba")
	}
	return nil
}

// Masks are what a class becomes.
type Masks struct {
	L3Code, L3Data uint64 // alike where code and data are not split; 0: not said
	L2             uint64 // 0: not said
	Bandwidth      int    // per cent that are left; 0: not said
}

// values is how many of a domain's values a class sets.
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
