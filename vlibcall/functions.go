// SPDX-License-Identifier: Apache-2.0

package vlibcall

import (
	"fmt"
	"strings"
	"unsafe"
)

// functions are the numbers under which a channel's client calls. The server takes
// requests in the order of their numbers, so the names of a function travel once.
type functions struct {
	last    *function // of the last request
	numbers map[[2]string]*function
	all     []*function // by number
	evict   int         // the next number to be used again when all are
}

type function struct {
	library, name string
	number        uint16
	told          bool // its names have been in the channel
}

// of finds the number of a function. A new one is refused if its names cannot be
// sent.
func (fs *functions) of(library, name string) (*function, error) {
	if f := fs.last; f != nil && same(f.name, name) && same(f.library, library) {
		return f, nil
	}
	f := fs.numbers[[2]string{library, name}]
	if f == nil {
		for _, n := range [...]string{library, name} {
			if err := checkName(n); err != nil {
				return nil, err
			}
		}
		f = fs.add(library, name)
	}
	fs.last = f
	return f, nil
}

// same is a == b, without a call for strings that share their bytes, as constants do.
func same(a, b string) bool {
	return len(a) == len(b) && (unsafe.StringData(a) == unsafe.StringData(b) || a == b)
}

func (fs *functions) add(library, name string) *function {
	f := &function{library: library, name: name, number: uint16(len(fs.all))}
	if len(fs.all) < mostFunctions {
		fs.all = append(fs.all, f)
	} else {
		old := fs.all[fs.evict]
		delete(fs.numbers, [2]string{old.library, old.name})
		f.number, fs.all[fs.evict] = old.number, f
		fs.evict = (fs.evict + 1) % mostFunctions
	}
	if fs.numbers == nil {
		fs.numbers = make(map[[2]string]*function)
	}
	fs.numbers[[2]string{library, name}] = f
	return f
}

func checkName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("empty name: %w", ErrBadRequest)
	case len(name) > MaxName:
		return fmt.Errorf("name of %d bytes, at most %d: %w", len(name), MaxName, ErrBadRequest)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("name %q contains NUL: %w", name, ErrBadRequest)
	}
	return nil
}
