// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Attribute is an extended attribute of a cgroup's directory. It belongs to the
// cgroup itself: a later one with the same name does not have it. So its value
// is right for every process that reads it.
type Attribute string

// names are its possible full names: kernels before 5.7 do not support user
// attributes there (EOPNOTSUPP).
func (a Attribute) names() [2]string { return [2]string{"user." + string(a), "trusted." + string(a)} }

// Read reads the attribute; ok reports whether it exists.
func (a Attribute) Read(f *os.File) (text string, ok bool, err error) {
	var b [unix.PathMax]byte
	for _, name := range a.names() {
		n, err := unix.Fgetxattr(int(f.Fd()), name, b[:])
		switch {
		case err == unix.ENODATA, err == unix.EOPNOTSUPP:
			continue
		case err != nil:
			return "", false, &fs.PathError{Op: "getxattr " + name, Path: f.Name(), Err: err}
		}
		return string(b[:n]), true, nil
	}
	return "", false, nil
}

// Write creates or changes the attribute.
func (a Attribute) Write(f *os.File, text string) (err error) {
	for _, name := range a.names() {
		err = unix.Fsetxattr(int(f.Fd()), name, []byte(text), 0)
		if err == nil {
			return nil
		}
		err = &fs.PathError{Op: "setxattr " + name, Path: f.Name(), Err: err}
		if !errors.Is(err, unix.EOPNOTSUPP) {
			break
		}
	}
	return err
}

// Remove removes the attribute if it exists.
func (a Attribute) Remove(f *os.File) error {
	for _, name := range a.names() {
		err := unix.Fremovexattr(int(f.Fd()), name)
		if err != nil && err != unix.ENODATA && err != unix.EOPNOTSUPP {
			return &fs.PathError{Op: "removexattr " + name, Path: f.Name(), Err: err}
		}
	}
	return nil
}
