// SPDX-License-Identifier: Apache-2.0

package signature

import (
	"fmt"
	"path"
	"strings"
)

const (
	maxSymbol  = 1024 // C++ mangles names to this order of length
	maxSoname  = 255  // NAME_MAX
	maxLibPath = 4095 // PATH_MAX without its NUL
)

// CheckSymbol reports whether name can be the name of a function or of
// another symbol: a C identifier of at most 1024 bytes.
func CheckSymbol(name string) error {
	if !validSymbol(name) {
		return fmt.Errorf("%.80q is not the name of a C symbol (letters, digits and _, not beginning with a digit, at most %d)", name, maxSymbol)
	}
	return nil
}

func validSymbol[T string | []byte](name T) bool {
	if len(name) == 0 || len(name) > maxSymbol || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if !wordByte(name[i]) {
			return false
		}
	}
	return true
}

// CheckLibrary reports whether name can name a library: a soname such as
// libm.so.6, which the guest's dynamic linker looks up, or a clean absolute
// path. Which of those a server serves is the server's policy.
func CheckLibrary(name string) error {
	if path.IsAbs(name) {
		if len(name) > maxLibPath || path.Clean(name) != name || name == "/" || strings.ContainsRune(name, 0) {
			return fmt.Errorf("library path %.80q is not a clean absolute path of at most %d bytes", name, maxLibPath)
		}
		return nil
	}
	if len(name) > maxSoname || !validSoname(name) {
		return fmt.Errorf("library %.80q is neither a soname such as libm.so.6 nor an absolute path", name)
	}
	return nil
}

// validSoname admits what library file names are made of; in particular no
// slash, which dlopen would take for a path relative to the worker's folder.
func validSoname(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !wordByte(c) && (i == 0 || c != '.' && c != '-' && c != '+') {
			return false
		}
	}
	return name != ""
}
