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

	"github.com/vlibos/vlibos/lab/cachedir"
)

// Unpacked returns a folder below cache with the files of packages and of those
// dependencies that follow selects. Nothing of them is installed, and none of their
// scripts has run.
func (a *Apt) Unpacked(ctx context.Context, cache string, names []string, follow func(name string) bool) (string, error) {
	pkgs, err := a.Closure(ctx, names, follow)
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
	err = cachedir.Make(cache, root, func(tmp, out string) error {
		files, err := a.Download(ctx, tmp, pkgs)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := Unpack(ctx, file, out); err != nil {
				return err
			}
		}
		return nil
	})
	if _, missing := os.Stat(root); err != nil && missing != nil {
		return "", err
	}
	return root, nil // another process may have been faster
}
