// SPDX-License-Identifier: Apache-2.0

package resctrl

import (
	"os"

	"github.com/vlibos/vlibos/internal/cgroup"
)

// system changes the file system. The kernel creates the files of a new directory
// and removes those of a removed one; tests replace these functions to do the same.
type system struct {
	mkdir, rmdir func(dir string) error
	write        func(file, text string) error // in one system call
}

var kernel = system{mkdir: func(dir string) error { return os.Mkdir(dir, 0o755) }, rmdir: os.Remove, write: cgroup.Write}
