// SPDX-License-Identifier: Apache-2.0

package cachedir

import (
	"os"
	"path/filepath"
)

// Make makes the folder dir, which is below base, by build, and then renames it
// into place. What build fills is out; tmp, in which out is, is a new folder in
// base for what is needed on the way, and goes with that.
//
// A dir that is there and not empty is [fs.ErrExist]: without a lock, another
// process may have been faster.
func Make(base, dir string, build func(tmp, out string) error) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(base, "tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	if err := build(tmp, out); err != nil {
		return err
	}
	return os.Rename(out, dir)
}
