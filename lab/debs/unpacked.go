// SPDX-License-Identifier: Apache-2.0

package debs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Unpacked returns a folder below cache with the files of packages, and of what
// they depend on as far as follow says. Nothing of them is installed, and none
// of their scripts has run.
func Unpacked(ctx context.Context, cache string, names []string, follow func(name string) bool) (string, error) {
	if err := Available(); err != nil {
		return "", err
	}
	pkgs, err := Closure(ctx, names, follow)
	if err != nil {
		return "", err
	}
	key := sha256.New()
	for _, p := range pkgs {
		fmt.Fprintln(key, p.Name, p.SHA256)
	}
	root := filepath.Join(cache, names[0]+"-"+hex.EncodeToString(key.Sum(nil))[:16])
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	// Unpacked aside and renamed: what is there is complete.
	tmp, err := os.MkdirTemp(cache, "tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	files, err := Download(ctx, tmp, pkgs)
	if err != nil {
		return "", err
	}
	aside := filepath.Join(tmp, "root")
	if err := os.Mkdir(aside, 0o755); err != nil {
		return "", err
	}
	for _, file := range files {
		if err := Unpack(ctx, file, aside); err != nil {
			return "", err
		}
	}
	if err := os.Rename(aside, root); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return root, nil
}
