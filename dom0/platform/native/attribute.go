// SPDX-License-Identifier: Apache-2.0

package native

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// attribute is an extended attribute of a cgroup's file: it is as old as the
// cgroup, whoever has its name later, and is read by guards and later masters.
type attribute string

const (
	// before is what a weight file's cgroup had before this package set anything.
	before attribute = "vlibos.before"
	// stopped says of the file by which a cgroup is stopped that this package has
	// stopped it.
	stopped attribute = "vlibos.stopped"
)

// names are those that it may have: kernels before 5.7 have no attributes of
// users there (EOPNOTSUPP).
func (a attribute) names() [2]string { return [2]string{"user." + string(a), "trusted." + string(a)} }

// read reads it; ok says that it is there.
func (a attribute) read(f *os.File) (text string, ok bool, err error) {
	var b [64]byte
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

func (a attribute) write(f *os.File, text string) (err error) {
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

func (a attribute) remove(f *os.File) error {
	for _, name := range a.names() {
		err := unix.Fremovexattr(int(f.Fd()), name)
		if err != nil && err != unix.ENODATA && err != unix.EOPNOTSUPP {
			return &fs.PathError{Op: "removexattr " + name, Path: f.Name(), Err: err}
		}
	}
	return nil
}
