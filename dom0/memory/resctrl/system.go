// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// system is how the file system is changed. Making and removing directories
// does more there than elsewhere, which tests have to do by themselves.
type system struct {
	mkdir, rmdir func(dir string) error
	write        func(file, text string) error
}

var kernel = system{mkdir: mkdir, rmdir: rmdir, write: write}

func mkdir(dir string) error { return os.Mkdir(dir, 0o755) }

func rmdir(dir string) error {
	if err := unix.Rmdir(dir); err != nil {
		return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

// write says text in one system call, as the kernel wants commands.
func write(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
