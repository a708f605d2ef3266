// SPDX-License-Identifier: Apache-2.0

// Package unixpath says when a socket's path is too long for the kernel, which
// itself says "invalid argument".
package unixpath

import (
	"errors"
	"fmt"
)

// Most is how many bytes of a path struct sockaddr_un takes beside its NUL (unix(7)).
const Most = 107

// ErrTooLong is what errors of Check wrap.
var ErrTooLong = errors.New("the path is too long for a socket")

// Check is an error for a path that no socket can have, with both lengths.
func Check(path string) error {
	if len(path) <= Most {
		return nil
	}
	return fmt.Errorf("%w: %.40s… has %d bytes, and %d are allowed: choose a shorter name or directory", ErrTooLong, path, len(path), Most)
}
