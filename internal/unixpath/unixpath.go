// SPDX-License-Identifier: Apache-2.0

// Package unixpath reports when a socket's path is too long for the kernel,
// which says "invalid argument" itself.
package unixpath

import (
	"errors"
	"fmt"
)

// Most is the longest path in struct sockaddr_un, without its NUL (unix(7)).
const Most = 107

// ErrTooLong is wrapped by errors of Check.
var ErrTooLong = errors.New("the path is too long for a socket")

// Check returns an error, with both lengths, for a path that is too long.
func Check(path string) error {
	if len(path) <= Most {
		return nil
	}
	return fmt.Errorf("%w: %.40s… has %d bytes, and %d are allowed: choose a shorter name or directory", ErrTooLong, path, len(path), Most)
}
