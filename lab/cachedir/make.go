// SPDX-License-Identifier: Apache-2.0

package cachedir

import (
	"os"
	"path/filepath"
)

// Make makes the folder dir, which is below base. It calls build, which fills the folder
// out, and then renames out to dir. tmp is a new folder in base that contains out; build
// may use it, and it is removed.
//
// The error is [fs.ErrExist] if dir exists and is not empty: without a lock, another
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
